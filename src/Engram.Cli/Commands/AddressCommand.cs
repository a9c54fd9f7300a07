using System.CommandLine;
using Engram.Addressing;
using Engram.Cli.CommandLine;
using Engram.Corpora.Files;

namespace Engram.Cli.Commands;

/// <summary>The hash constants and table rows that follow from a specification and token ids.</summary>
internal sealed class AddressCommand : CliCommand
{
    private readonly Argument<string> _file = new("SPEC.json")
    {
        Description =
            "An object, or an array of objects, with name, compressedVocabularySize, layers, slotsPerOrder, headsPerOrder, seed, padId "
            + "and tokens (canonical ids)",
    };

    public AddressCommand()
        : base(
            "address",
            "Compute the multipliers, primes and table rows of canonical token ids, without a model. Writes the same JSON with perLayer "
                + "filled in, to compare implementations.",
            "engram address case.json",
            "engram address cases.json > computed.json"
        ) => Add(_file);

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var file = parsed.GetRequiredValue(_file);
        if (Directory.Exists(file))
            throw new InvalidDataException($"{file}: is a folder; give a JSON file.");
        var completed = AddressingCases.Complete(InputFile.ReadAllBytes(file, cancellation), file);
        using var output = Console.OpenStandardOutput();
        output.Write(completed);
        output.WriteByte((byte)'\n');
    }
}
