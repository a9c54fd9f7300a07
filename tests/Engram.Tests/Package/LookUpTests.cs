using System.Diagnostics;
using Engram.Addressing;
using Engram.Tables;
using Engram.Tests.Storage;
using Engram.Tests.Tokenization;
using Engram.Tokenization;
using Engram.Vocabulary;

namespace Engram.Tests.Package;

/// <summary>The sample program, run as a user runs it.</summary>
public sealed class LookUpTests : IDisposable
{
    private const string Text = "Abc";
    private const int Layer = 3,
        Width = 6;

    private readonly TemporaryFolder _folder = new();
    private readonly AddressingConstants _constants;
    private readonly int[] _canonical;

    public LookUpTests()
    {
        var tokenizer = new TinyTokenizer().Build();
        Directory.CreateDirectory(_folder.File("engram"));
        tokenizer.Save(_folder.File("tokenizer.json"));
        tokenizer = Tokenizer.Load(_folder.File("tokenizer.json"));
        var map = CanonicalMap.Build(tokenizer);
        _constants = AddressingConstants.Derive(
            new AddressingSpec
            {
                CompressedVocabularySize = map.CanonicalVocabularySize,
                Layers = [Layer],
                SlotsPerOrder = [50, 60],
                HeadsPerOrder = 2,
                PadId = 0,
            }
        );
        new ModelAddressing(_constants, map, tokenizer.Fingerprint).Save(_folder.File("engram/addressing.json"));
        using var table = new EngramTable(_constants.Layers[0].TotalRows, Width);
        table.FillNormal(1, 1);
        table.Save(_folder.File("engram/layer-03.safetensors"), $"model.layers.{Layer}.engram.embed.weight");
        _canonical = [.. tokenizer.Encode(Text).Select(id => map[id])];
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ModelFolder_GivesNgramsRowsAndValues()
    {
        var (code, output, errors) = await Run(_folder.File(""), Text);
        Assert.Equal((0, ""), (code, errors));
        var rows = new long[Text.Length * 4];
        new NgramAddresser(_constants).Address(_canonical, [], 0, rows);
        using var table = EngramTable.Load(_folder.File("engram/layer-03.safetensors"), $"model.layers.{Layer}.engram.embed.weight");
        var lines = output.TrimEnd().Split('\n');
        Assert.Equal("layer 3", lines[0]);
        Assert.Equal(1 + 2 * Text.Length, lines.Length);
        Assert.Contains("A·b·c", lines[6]);
        Assert.Contains($"rows {rows[10]} {rows[11]} ", lines[6]);
        Assert.Contains(string.Join(' ', table.Row(rows[10])[..4].ToArray().Select(value => value.ToString("0.0000", null))), lines[6]);
        Assert.Contains("∅·∅·A", lines[2]);
    }

    [Fact]
    public async Task TableElsewhere_GivesTheSame()
    {
        var (code, output, _) = await Run(
            _folder.File("engram/layer-03.safetensors"),
            _folder.File("engram/addressing.json"),
            _folder.File("tokenizer.json"),
            "3",
            Text
        );
        Assert.Equal(0, code);
        Assert.Equal((await Run(_folder.File(""), Text)).Output, output);
    }

    [Fact]
    public async Task WrongInput_IsOneLine()
    {
        var (code, output, errors) = await Run("/nowhere", Text);
        Assert.Equal((1, ""), (code, output));
        Assert.Contains("/nowhere", Assert.Single(errors.TrimEnd().Split('\n')));
        Assert.Equal(2, (await Run(Text)).Code);
    }

    private static async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "LookUp"), arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }
}
