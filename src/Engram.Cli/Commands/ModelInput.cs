using System.CommandLine;
using Engram.Cli.CommandLine;
using Engram.Torch;
using Engram.Models.Memory;
using Engram.Corpora;

namespace Engram.Cli.Commands;

/// <summary>What the commands that run a model share.</summary>
internal sealed class ModelInput
{
    /// <summary>Names of the places where tables live, the default first.</summary>
    private static readonly Dictionary<string, TableLocation> Locations = new()
    {
        ["memory"] = TableLocation.Memory, ["mapped"] = TableLocation.Mapped, ["cached"] = TableLocation.Cached,
    };

    private static readonly Dictionary<string, (MemoryUse Use, string Meaning)> Uses = new()
    {
        ["on"] = (MemoryUse.On, ""),
        ["off"] = (MemoryUse.Off, " (nothing is added)"),
        ["shuffled"] = (MemoryUse.ShuffledRows, " (rows exchanged: the tables keep their statistics and lose their knowledge)"),
        ["permuted"] = (MemoryUse.PermutedKeys, " (every n-gram reads the rows of another one)"),
        ["random"] = (MemoryUse.RandomRows, " (rows keep their norms and get random directions)"),
    };

    private readonly Option<string> _folder = new("--model") { Description = "The model folder, for example run/model", HelpName = "FOLDER", Required = true };
    private readonly Option<string> _tables = new Option<string>("--tables")
    {
        Description = "Where the tables live: memory, mapped (read from their files as needed), or cached (mapped, behind a cache of rows). The results are the same",
        HelpName = "PLACE", DefaultValueFactory = _ => "memory",
    }.AcceptOnlyFromAmong([.. Locations.Keys]);
    private readonly Option<long?> _rowCache = ByteSize.Option("--row-cache", "Memory of the row caches of --tables cached [default: 64MiB]");
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int?> _threads = CommonOptions.Threads();

    /// <summary>An option that says what the memory does.</summary>
    /// <param name="uses">The names it takes, the default first.</param>
    public static Option<string> Use(params string[] uses) => new Option<string>("--memory")
    {
        Description = "What the memory does: " + string.Join(", ", uses.Select(use => use + Uses[use].Meaning)),
        HelpName = "USE", DefaultValueFactory = _ => uses[0],
    }.AcceptOnlyFromAmong(uses);

    /// <summary>The memory that a value of <see cref="Use"/> stands for.</summary>
    public static MemoryInUse Memory(LanguageModel model, string use) => new(model, Uses[use].Use);

    /// <summary>Adds the model folder to a command.</summary>
    public void AddFolderTo(Command command) => command.Add(_folder);

    /// <summary>Adds the options that say how the model runs.</summary>
    public void AddSettingsTo(Command command)
    {
        command.Add(_tables);
        command.Add(_rowCache);
        command.Validators.Add(given =>
        {
            if (given.GetResult(_rowCache) is not null && given.GetResult(_tables)?.Tokens is not [{ Value: "cached" }])
                given.AddError("--row-cache needs --tables cached.");
        });
        command.Add(_device);
        command.Add(_threads);
    }

    public LanguageModel Open(ParseResult parsed) => Open(parsed, parsed.GetRequiredValue(_folder));

    /// <summary>Opens another model folder than that of the option, for commands that take several.</summary>
    public LanguageModel Open(ParseResult parsed, string folder)
    {
        // Loading libtorch takes longer than telling that the folder is not there.
        if (File.Exists(folder)) throw new DirectoryNotFoundException($"{folder} is a file; give the model folder that holds it.");
        if (File.Exists(Path.Combine(folder, CorpusSummary.FileName)) && !File.Exists(Path.Combine(folder, "train.json")))
            throw new DirectoryNotFoundException($"{folder} holds prepared data, no model; engram train --data {Terminal.Word(folder)} makes one.");
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"There is no model folder '{folder}'; engram train writes one to RUN/model.");
        var memory = new MemoryOptions { Tables = Locations[parsed.GetRequiredValue(_tables)] };
        if (parsed.GetValue(_rowCache) is { } bytes) memory = memory with { RowCacheBytes = bytes };
        return LanguageModel.Load(folder, CommonOptions.OpenDevice(parsed, _device, _threads), memory);
    }
}
