using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Torch;

namespace Engram.Cli.Commands;

/// <summary>How <c>engram eval</c> opens the models that it scores.</summary>
internal sealed class EvalModels
{
    private const string Managed = "managed";

    // A file of a gibibyte is read in about a second.
    private const long Whole = 1L << 30;
    private const int Ends = 16 << 20;

    private readonly Option<string?> _engine = new Option<string?>("--engine")
    {
        Description =
            "What computes: managed, the faster for small models, or torch (libtorch) [default: managed where it serves model and device]",
        HelpName = "ENGINE",
    }.OneOf(Managed, "torch");
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int?> _threads = CommonOptions.Threads();

    public void AddTo(Command command)
    {
        command.Add(_engine);
        command.Add(_device);
        command.Add(_threads);
        command.Validators.Add(given =>
        {
            if (given.GetResult(_engine)?.Tokens is [{ Value: Managed }] && given.GetResult(_device)?.Tokens is [{ Value: not "cpu" }])
                given.AddError("--device needs --engine torch: the managed engine computes on the processor.");
        });
    }

    /// <summary>Says early that a model is not there.</summary>
    public static void Require(string folder)
    {
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no model folder '{folder}'; engram train writes one to RUN/model.");
    }

    /// <summary>What tells a model from others, wherever it lies: hashes of its files.</summary>
    public static string Identity(string folder)
    {
        var files = Directory
            .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(path => $"{Path.GetRelativePath(folder, path)} {HashOf(new FileInfo(path))}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', files))));
    }

    /// <summary>The hash of a file; of one that takes long to read, that of its beginning and end with size and time.</summary>
    private static string HashOf(FileInfo file)
    {
        using var stream = file.OpenRead();
        if (file.Length <= Whole)
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        var ends = new byte[2 * Ends];
        stream.ReadExactly(ends, 0, Ends);
        stream.Seek(-Ends, SeekOrigin.End);
        stream.ReadExactly(ends, Ends, Ends);
        return $"{Convert.ToHexStringLower(SHA256.HashData(ends))} {file.Length} {file.LastWriteTimeUtc.Ticks}";
    }

    /// <summary>What computes a model: managed or torch.</summary>
    public string EngineOf(ParseResult parsed, string folder) =>
        parsed.GetValue(_engine)
        ?? (
            parsed.GetValue(_device) is "cpu"
            && EngramModel.Serves(ModelConfiguration.Load(Path.Combine(folder, ModelFolder.ConfigurationFile)))
                ? Managed
                : "torch"
        );

    /// <summary>Where tensors live.</summary>
    public string DeviceOf(ParseResult parsed) => parsed.GetRequiredValue(_device);

    /// <summary>Threads of one tensor operation.</summary>
    public int ThreadsOf(ParseResult parsed) => parsed.GetValue(_threads) ?? Environment.ProcessorCount;

    /// <summary>Opens a model as the command line says how.</summary>
    public IScoredModel Open(ParseResult parsed, string folder) =>
        EngineOf(parsed, folder) == Managed
            ? new ManagedModel(EngramModel.Open(folder, threads: parsed.GetValue(_threads)))
            : new TorchModel(LanguageModel.Load(folder, CommonOptions.OpenDevice(parsed, _device, _threads)));
}
