using System.CommandLine;
using System.CommandLine.Parsing;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Torch;

namespace Engram.Cli.Commands;

/// <summary>What the commands that run a model share.</summary>
internal sealed class ModelInput
{
    /// <summary>Names of the places where tables live, the default first.</summary>
    private static readonly Dictionary<string, TableLocation> Locations = new()
    {
        ["memory"] = TableLocation.Memory,
        ["mapped"] = TableLocation.Mapped,
        ["cached"] = TableLocation.Cached,
    };

    /// <summary>What results say of the memory of a model that has none.</summary>
    public const string NoMemory = "none";

    private const string Managed = "managed";

    private static readonly Dictionary<string, (MemoryUse Use, string Meaning)> Uses = new()
    {
        ["on"] = (MemoryUse.On, ""),
        ["off"] = (MemoryUse.Off, " (nothing is added)"),
        ["shuffled"] = (MemoryUse.ShuffledRows, " (rows exchanged: the tables keep their statistics and lose their knowledge)"),
        ["permuted"] = (MemoryUse.PermutedKeys, " (every n-gram reads the rows of another one)"),
        ["random"] = (MemoryUse.RandomRows, " (rows keep their norms and get random directions)"),
        ["one-row"] = (MemoryUse.OneRow, " (every n-gram reads the mean row of its head)"),
    };

    private readonly Option<string> _folder = new("--model")
    {
        Description = "The model folder, for example run/model",
        HelpName = "FOLDER",
        Required = true,
    };
    private readonly Option<string> _tables = new Option<string>("--tables")
    {
        Description =
            "Where the tables live: memory, mapped (read from their files as needed), or cached (mapped, behind a cache of rows). The "
            + "results are the same",
        HelpName = "PLACE",
        DefaultValueFactory = _ => "memory",
    }.OneOf([.. Locations.Keys]);
    private readonly Option<long?> _rowCache = ByteSize.Option(
        "--row-cache",
        $"Memory of the row caches of --tables cached [default: {ByteSize.Show(new MemoryOptions().RowCacheBytes)}]"
    );
    private readonly Option<string?> _engine = new Option<string?>("--engine")
    {
        Description =
            "What computes: managed (no native library, mapped weights) or torch. The results agree to float32 rounding [default: "
            + "managed; torch with --device cuda and for memories that join the values of attention]",
        HelpName = "ENGINE",
    }.OneOf(Managed, "torch");
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int?> _threads = CommonOptions.Threads();

    /// <summary>An option that says what the memory does.</summary>
    /// <param name="without">Names that the command does not take.</param>
    public static Option<string> Use(params string[] without)
    {
        string[] uses = [.. Uses.Keys.Except(without)];
        return new Option<string>("--memory")
        {
            Description = "What the memory does: " + string.Join(", ", uses.Select(use => use + Uses[use].Meaning)),
            HelpName = "USE",
            DefaultValueFactory = _ => "on",
        }.OneOf(uses);
    }

    /// <summary>The same, of which several stand side by side.</summary>
    /// <param name="more">What else the command has to say of it; empty for nothing.</param>
    public static Option<string> UseList(string more = "")
    {
        var option = new Option<string>("--memory")
        {
            Description =
                "What the memory does; several with commas between stand side by side: "
                + string.Join(", ", Uses.Keys.Select(use => use + Uses[use].Meaning))
                + more,
            HelpName = "USES",
            DefaultValueFactory = _ => "on",
        };
        option.Validators.Add(given =>
        {
            string[] uses = given is { Implicit: false, Tokens: [{ Value: var list }] } ? list.Split(',') : [];
            foreach (var use in uses)
                if (!Uses.ContainsKey(use))
                    given.AddError($"--memory takes {string.Join(", ", Uses.Keys)}, not '{use}'.");
            if (uses.CountBy(use => use).FirstOrDefault(use => use.Value > 1).Key is { } twice)
                given.AddError($"--memory names '{twice}' twice.");
        });
        return option;
    }

    /// <summary>The uses of <see cref="UseList"/>; of a model without memory <see cref="NoMemory"/> alone.</summary>
    /// <exception cref="UsageException">The option was given, and the model has no memory.</exception>
    public static string[] UsesOf(ParseResult parsed, Option<string> uses, MemoryBank? own)
    {
        if (own is not null)
            return parsed.GetRequiredValue(uses).Split(',');
        Memory(parsed, uses, null).Dispose();
        return [NoMemory];
    }

    /// <summary>The memory that a value of <see cref="Use"/>, or one of <see cref="UsesOf"/>, stands for.</summary>
    /// <param name="own">The model's memory, or null.</param>
    /// <param name="use">The value.</param>
    /// <param name="suppression">A part of it that is silenced; null for none.</param>
    /// <param name="seed">Of what is drawn; null for the usual one.</param>
    /// <exception cref="UsageException">There is no memory, or no such part of it.</exception>
    public static MemoryInUse Memory(MemoryBank? own, string use, Suppression? suppression = null, int? seed = null) =>
        new(own, use == NoMemory ? MemoryUse.On : Uses[use].Use, suppression, seed);

    /// <summary>The same as it was given. A model without memory has none to speak of, not even one that is on.</summary>
    /// <exception cref="UsageException">The option was given, and the model has no memory.</exception>
    public static MemoryInUse Memory(ParseResult parsed, Option<string> use, MemoryBank? own, Suppression? suppression = null) =>
        own is null && parsed.GetResult(use) is { Implicit: false }
            ? throw new UsageException("--memory: The model has no memory (its config.json has no engram_* keys). Leave the option out.")
            : Memory(own, parsed.GetRequiredValue(use), suppression);

    /// <summary>Refuses a part of a memory that is off.</summary>
    public static void RefuseSilenceOfNothing(CommandResult given, Option suppress, Option uses)
    {
        if (
            given.GetResult(suppress) is not null
            && given.GetResult(uses)?.Tokens is [{ Value: var list }]
            && list.Split(',').Contains("off")
        )
            given.AddError("--suppress needs a memory that is on: one that is off has no part to silence.");
    }

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

    /// <summary>Adds the option that chooses the engine, to commands that both engines serve.</summary>
    public void AddEngineTo(Command command)
    {
        command.Add(_engine);
        command.Validators.Add(given =>
        {
            if (given.GetResult(_engine)?.Tokens is [{ Value: Managed }] && given.GetResult(_device)?.Tokens is [{ Value: not "cpu" }])
                given.AddError("--device needs --engine torch: the managed engine computes on the processor.");
        });
    }

    /// <summary>
    /// Whether the managed engine is used: unless the other one is asked for, or a device or a model that only that one serves.
    /// </summary>
    public bool IsManaged(ParseResult parsed)
    {
        if (parsed.GetValue(_engine) is { } engine)
            return engine == Managed;
        var configuration = Path.Combine(parsed.GetRequiredValue(_folder), ModelFolder.ConfigurationFile);
        // What is wrong with the folder is told when it is opened.
        return parsed.GetValue(_device) is "cpu"
            && (!File.Exists(configuration) || EngramModel.Serves(ModelConfiguration.Load(configuration)));
    }

    /// <summary>An option that the managed engine does not serve.</summary>
    public void RequireLibTorch(CommandResult given, string option)
    {
        if (given.GetResult(_engine)?.Tokens is [{ Value: Managed }])
            given.AddError($"{option} needs --engine torch.");
    }

    /// <summary>The folder as it was given.</summary>
    public string FolderOf(ParseResult parsed) => parsed.GetRequiredValue(_folder);

    /// <summary>Opens the model with libtorch.</summary>
    public LanguageModel Open(ParseResult parsed) => Open(parsed, FolderOf(parsed));

    /// <summary>Opens a model folder with libtorch, as the command line says how.</summary>
    public LanguageModel Open(ParseResult parsed, string given)
    {
        var (folder, memory) = Source(parsed, given);
        return LanguageModel.Load(folder, CommonOptions.OpenDevice(parsed, _device, _threads), memory);
    }

    /// <summary>Opens the model without it.</summary>
    public EngramModel OpenManaged(ParseResult parsed)
    {
        var (folder, memory) = Source(parsed, FolderOf(parsed));
        return EngramModel.Open(folder, memory, parsed.GetValue(_threads));
    }

    private (string Folder, MemoryOptions Memory) Source(ParseResult parsed, string folder)
    {
        // Loading libtorch takes longer than telling that the folder is not there.
        if (File.Exists(folder))
            throw new DirectoryNotFoundException($"{folder} is a file; give the model folder that holds it.");
        if (File.Exists(Path.Combine(folder, CorpusSummary.FileName)) && !File.Exists(Path.Combine(folder, "train.json")))
            throw new DirectoryNotFoundException(
                $"{folder} holds prepared data, no model; engram train --data {Terminal.Word(folder)} makes one."
            );
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no model folder '{folder}'; engram train writes one to RUN/model.");
        if (
            !File.Exists(Path.Combine(folder, ModelFolder.ConfigurationFile))
            && File.Exists(Path.Combine(folder, ModelFolder.TokenizerFile))
        )
            throw new DirectoryNotFoundException(
                $"{folder} holds a tokenizer, no model: there is no {ModelFolder.ConfigurationFile}. engram train writes a "
                    + "model to RUN/model; those of other programs are not read."
            );
        var memory = new MemoryOptions { Tables = Locations[parsed.GetRequiredValue(_tables)] };
        if (parsed.GetValue(_rowCache) is { } bytes)
            memory = memory with { RowCacheBytes = bytes };
        return (folder, memory);
    }
}
