using System.Runtime.InteropServices;
using Engram.Addressing;
using Engram.Corpora;
using Engram.Inference;
using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Torch;
using Engram.Torch.Native;
using Engram.Vocabulary;
using Microsoft.Win32.SafeHandles;
using TorchSharp;

namespace Engram.Benchmarks;

/// <summary>
/// What a large memory costs a model in use: the same backbone with a table 100 times its size and with a tiny one, same heads and width,
/// in turns. The first call makes the model folders, which takes longer than measuring.
/// </summary>
internal static partial class MemoryCost
{
    private const int TimesBackbone = 100;
    private const int TinySlots = 97;
    private const int Prompt = 16;
    private const int Tokens = 144;
    private const int WarmUpRounds = 2;
    private const int LeastRounds = WarmUpRounds + 8;
    private const int Updates = 40;
    private static readonly TimeSpan DecodingTime = TimeSpan.FromSeconds(35);

    public static void Run(string preset, RowFormat format, int threads)
    {
        LibTorch.EnsureLoaded();
        Malloc.Tune();
        torch.set_num_threads(threads);
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var tiny = WithSlots(Presets.Load(preset), TinySlots);
        var plan = ModelPlan.Of(tiny);
        var backbone = plan.StoredParameters - plan.MemoryParameters;
        var engram = tiny.Engram!;
        var large = WithSlots(tiny, TimesBackbone * backbone / (engram.LayerIds.Count * engram.MemoryWidth));
        var folder = Path.Combine("runs", "memory-cost", $"{preset}-{format.ToString().Replace('/', '-')}");
        foreach (var (name, configuration) in new[] { ("tiny", tiny), ("large", large) })
            if (!Directory.Exists(Path.Combine(folder, name)))
                MakeFolder(configuration, corpus, format, Path.Combine(folder, name));

        var values = ModelPlan.Of(large).MemoryParameters;
        Console.WriteLine(
            $"{preset}: backbone {backbone:N0} parameters; table {values:N0} values, {(double)values / backbone:F0} times that, "
                + $"{values / engram.HeadDim * format.RowBytes(engram.HeadDim) / 1e6:N0} MB of {format}; "
                + $"{threads} thread(s), load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}"
        );
        Decode(folder, corpus);
        Cold(Path.Combine(folder, "large"), corpus);
        if (format == RowFormat.Float32)
            Train(tiny, large, corpus);
    }

    /// <summary>The same for the managed engine: the large table mapped, warm and cold, beside the tiny one, one thread.</summary>
    public static void RunManaged(string preset)
    {
        LibTorch.EnsureLoaded();
        using var corpus = DataPreparation.Prepare(CorpusSource.Open(CorpusSource.DotnetDocs), Path.Combine("runs", "bench-data"));
        var folder = Folders(preset, RowFormat.Float32, corpus);
        ReadFiles(Path.Combine(folder, "large"));
        var mapped = new MemoryOptions { Tables = TableLocation.Mapped };
        var arms = new[] { "tiny", "large" }
            .Select(name => new ManagedDecode(EngramModel.Open(Path.Combine(folder, name), mapped, threads: 1)))
            .ToList();
        var seconds = arms.Select(_ => new List<double>()).ToArray();
        foreach (var (round, ids) in Texts(corpus).Take(60).Index())
            for (var i = 0; i < arms.Count; i++)
            {
                var arm = (round + i) % arms.Count;
                // Best of three: what the machine does beside it is not the table's cost.
                seconds[arm].Add(Enumerable.Range(0, 3).Min(_ => arms[arm].Read(ids, Prompt)));
            }

        var ratios = seconds[1].Zip(seconds[0], (large, tiny) => large / tiny).Skip(10).Order().ToList();
        Console.WriteLine(
            $"{preset}, managed, 1 thread: tiny table {1 / Median(seconds[0]):F0} tokens/s, large table in the page cache "
                + $"{1 / Median(seconds[1]):F0}; seconds per token {ratios[ratios.Count / 2]:F4} times "
                + $"(quartiles {ratios[ratios.Count / 4]:F4}–{ratios[ratios.Count * 3 / 4]:F4})"
        );
        var cold = new List<double>();
        foreach (var ids in Texts(corpus).Skip(100).Take(5))
        {
            foreach (var file in Directory.GetFiles(Path.Combine(folder, "large", "engram"), "layer-*"))
                ForgetFile(file);
            using var arm = new ManagedDecode(EngramModel.Open(Path.Combine(folder, "large"), mapped, threads: 1));
            cold.Add(arm.Read(ids, Prompt));
        }

        Console.WriteLine($"{1 / Median(cold, 0):F0} tokens/s with no row in the page cache");
        arms.ForEach(arm => arm.Dispose());
    }

    private static string Folders(string preset, RowFormat format, PreparedCorpus corpus)
    {
        var tiny = WithSlots(Presets.Load(preset), TinySlots);
        var plan = ModelPlan.Of(tiny);
        var large = WithSlots(
            tiny,
            TimesBackbone * (plan.StoredParameters - plan.MemoryParameters) / (tiny.Engram!.LayerIds.Count * tiny.Engram.MemoryWidth)
        );
        var folder = Path.Combine("runs", "memory-cost", $"{preset}-{format.ToString().Replace('/', '-')}");
        foreach (var (name, configuration) in new[] { ("tiny", tiny), ("large", large) })
            if (!Directory.Exists(Path.Combine(folder, name)))
                MakeFolder(configuration, corpus, format, Path.Combine(folder, name));
        return folder;
    }

    private static void Decode(string folder, PreparedCorpus corpus)
    {
        ReadFiles(Path.Combine(folder, "large"));
        var arms = new[]
        {
            ("tiny table in memory", "tiny", TableLocation.Memory),
            ("tiny table mapped", "tiny", TableLocation.Mapped),
            ("large table mapped, in the page cache", "large", TableLocation.Mapped),
            ("… behind a row cache of 64 MiB", "large", TableLocation.Cached),
        }
            .Select(arm => new DecodeSpeed(
                arm.Item1,
                LanguageModel.Load(Path.Combine(folder, arm.Item2), memory: new MemoryOptions { Tables = arm.Item3 })
            ))
            .ToList();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var rounds = 0;
        foreach (var ids in Texts(corpus))
        {
            for (var i = 0; i < arms.Count; i++)
            {
                var arm = arms[(rounds + i) % arms.Count];
                arm.Seconds.Add(arm.Read(ids, Prompt));
                arm.ReadSeconds.Add(arm.ReadRows(ids));
            }
            rounds++;
            if (clock.Elapsed > DecodingTime && rounds > LeastRounds)
                break;
        }

        Console.WriteLine($"\ndecoding real text, {rounds - WarmUpRounds} rounds of {Tokens} tokens, another text each round");
        Console.WriteLine($"{"", -40} {"tokens/s", 10} {"against the first", 18} {"quartiles", 16} {"reading rows alone, µs/token", 30}");
        foreach (var arm in arms)
        {
            var ratios = arm.Seconds.Zip(arms[0].Seconds, (mine, first) => mine / first).Skip(WarmUpRounds).Order().ToList();
            Console.WriteLine(
                $"{arm.Name, -40} {1 / Median(arm.Seconds), 10:F0} {ratios[ratios.Count / 2], 18:F3} "
                    + $"{$"{ratios[ratios.Count / 4]:F3}–{ratios[ratios.Count * 3 / 4]:F3}", 16} {Median(arm.ReadSeconds) * 1e6, 30:F1}"
            );
        }

        arms.ForEach(arm => arm.Dispose());
    }

    /// <summary>The first tokens after the files have left the page cache.</summary>
    private static void Cold(string folder, PreparedCorpus corpus)
    {
        const int repetitions = 5;
        var (cold, warm, opening) = (new List<double>(), new List<double>(), new List<double>());
        foreach (var ids in Texts(corpus).Take(repetitions))
        {
            foreach (var file in Directory.GetFiles(Path.Combine(folder, "engram"), "layer-*"))
                ForgetFile(file);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            using var arm = new DecodeSpeed("", LanguageModel.Load(folder, memory: new MemoryOptions { Tables = TableLocation.Mapped }));
            opening.Add(clock.Elapsed.TotalSeconds);
            cold.Add(arm.Read(ids, Prompt));
            warm.Add(arm.Read(ids, Prompt));
        }

        Console.WriteLine(
            $"\ncold: model opened in {Median(opening, 0) * 1e3:F0} ms; {1 / Median(cold, 0):F0} tokens/s with no row in the page cache, "
                + $"{1 / Median(warm, 0):F0} tokens/s for the same text again"
        );
        ReadFiles(folder);
    }

    private static void Train(ModelConfiguration tiny, ModelConfiguration large, PreparedCorpus corpus)
    {
        using var first = new TrainingSpeed("tiny table", tiny, corpus, sequences: 8, length: 128);
        using var second = new TrainingSpeed("large table in memory", large, corpus, sequences: 8, length: 128);
        for (var update = 0; update < WarmUpRounds + Updates; update++)
        {
            (update % 2 == 0 ? first : second).Step();
            (update % 2 == 0 ? second : first).Step();
        }

        var ratios = second.Seconds.Zip(first.Seconds, (mine, other) => mine / other).Skip(WarmUpRounds).Order().ToList();
        Console.WriteLine(
            $"\ntraining, {Updates} updates of 8 x 128 tokens: {first.Name} {first.TokensPerStep / Median(first.Seconds):F0} tokens/s, "
                + $"{second.Name} {second.TokensPerStep / Median(second.Seconds):F0} tokens/s; "
                + $"seconds per update {ratios[ratios.Count / 2]:F3} times (quartiles "
                + $"{ratios[ratios.Count / 4]:F3}–{ratios[ratios.Count * 3 / 4]:F3})"
        );
    }

    private static ModelConfiguration WithSlots(ModelConfiguration model, long slots) =>
        model with
        {
            Engram = model.Engram! with
            {
                SlotsPerOrder = [.. model.Engram.SlotsPerOrder.Select(_ => slots)],
                CompressedVocabularySize = 0,
            },
        };

    /// <summary>A model folder with starting weights and random rows. The large table never exists in float32 as a whole.</summary>
    private static void MakeFolder(ModelConfiguration configuration, PreparedCorpus corpus, RowFormat format, string folder)
    {
        Console.WriteLine($"making {folder}");
        var seed = WithSlots(configuration, TinySlots);
        using (var model = LanguageModel.Create(seed, corpus.Tokenizer, seed: 1))
            model.Save(folder + ".tmp");
        var map = CanonicalMap.Build(corpus.Tokenizer);
        var engram = configuration.Engram! with { CompressedVocabularySize = map.CanonicalVocabularySize };
        (configuration with { Engram = engram }).Save(Path.Combine(folder + ".tmp", ModelFolder.ConfigurationFile));
        var constants = AddressingConstants.Derive(engram.Addressing(map[engram.PadTokenId]));
        new ModelAddressing(constants, map, corpus.Tokenizer.Fingerprint).Save(Path.Combine(folder + ".tmp", TablePaths.Addressing));
        for (var position = 0; position < engram.LayerIds.Count; position++)
        {
            using var table = new EngramTable(constants.Layers[position].TotalRows, engram.HeadDim, format);
            var chunk = new float[4096 * engram.HeadDim];
            var random = new Random(position);
            for (var row = 0L; row < table.Rows; row += 4096)
            {
                for (var i = 0; i < chunk.Length; i++)
                    chunk[i] = 0.1f * (random.NextSingle() - 0.5f);
                table.Write(row, chunk.AsSpan(0, (int)Math.Min(4096, table.Rows - row) * engram.HeadDim));
            }
            table.Save(
                Path.Combine(folder + ".tmp", TablePaths.Table(engram.LayerIds[position])),
                TablePaths.Tensor(engram.LayerIds[position])
            );
        }
        Directory.Move(folder + ".tmp", folder);
    }

    private static IEnumerable<int[]> Texts(PreparedCorpus corpus)
    {
        foreach (var batch in new ValidationBatches(corpus, 2000, 1, Tokens + Prompt))
            yield return [.. batch.Inputs];
    }

    private static void ReadFiles(string folder)
    {
        var buffer = new byte[1 << 20];
        foreach (var path in Directory.GetFiles(Path.Combine(folder, "engram"), "layer-*"))
        {
            using var file = File.OpenRead(path);
            while (file.Read(buffer) > 0) { }
        }
    }

    private static void ForgetFile(string path)
    {
        const int dontNeed = 4;
        using var file = File.OpenHandle(path);
        if (PosixFadvise(file, 0, 0, dontNeed) != 0)
            throw new IOException($"{path}: the system does not let go of its pages.");
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int PosixFadvise(SafeFileHandle file, long offset, long length, int advice);

    private static double Median(IEnumerable<double> values, int skip = WarmUpRounds)
    {
        var sorted = values.Skip(skip).Order().ToList();
        return sorted[sorted.Count / 2];
    }
}
