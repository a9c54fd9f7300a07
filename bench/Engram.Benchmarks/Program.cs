using System.Globalization;
using Engram.Benchmarks;
using Engram.Tables.Formats;
using Engram.Torch.Native;

// dotnet run -c Release --project bench/Engram.Benchmarks -- BENCHMARK
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
ThreadSettings.WaitBriefly();
switch (args)
{
    case ["training", .. var rest] when rest.Length <= 2:
        TrainingComparison.Run(
            threads: rest.Length > 0 ? int.Parse(rest[0]) : Environment.ProcessorCount,
            steps: rest.Length > 1 ? int.Parse(rest[1]) : 20
        );
        return 0;
    case ["experts", .. var rest] when rest.Length <= 3:
        ExpertComparison.Run(
            threads: rest.Length > 0 ? int.Parse(rest[0]) : 1,
            rounds: rest.Length > 1 ? int.Parse(rest[1]) : 40,
            counts: rest.Length > 2 ? [.. rest[2].Split(',').Select(int.Parse)] : [2, 8, 32, 66, 128]
        );
        return 0;
    case ["kernels"]:
        LibTorch.EnsureLoaded();
        Malloc.Tune();
        return KernelBenchmarks.Run();
    case ["addressing", .. var rest] when rest.Length <= 1:
        AddressingComparison.Run(python: rest.Length > 0 ? rest[0] : "python3");
        return 0;
    case ["tokenizer", var tokenizer, .. var texts]:
        TokenizerComparison.Run(tokenizer, texts);
        return 0;
    case ["gather", .. var rest] when rest.Length <= 2:
        LibTorch.EnsureLoaded();
        Malloc.Tune();
        TableComparison.Gather(
            rest.Length > 0 ? double.Parse(rest[0]) : 4,
            rest.Length > 1 ? int.Parse(rest[1]) : Environment.ProcessorCount
        );
        return 0;
    case ["distinct", .. var rest] when rest.Length <= 1:
        DistinctComparison.Run(rest.Length > 0 ? int.Parse(rest[0]) : Environment.ProcessorCount);
        return 0;
    case ["sizes"]:
        TableComparison.Sizes();
        return 0;
    case ["disk", var folder]:
        TableComparison.Disk(folder, Environment.ProcessorCount);
        return 0;
    case ["cache", var folder]:
        LibTorch.EnsureLoaded();
        CacheComparison.Run(folder);
        return 0;
    case ["memory-cost", .. var rest] when rest.Length <= 3:
        MemoryCost.Run(
            preset: rest.Length > 0 ? rest[0] : "quickstart-engram",
            format: RowFormat.Parse(rest.Length > 1 ? rest[1] : "float32"),
            threads: rest.Length > 2 ? int.Parse(rest[2]) : 1
        );
        return 0;
    case ["decode", .. var presets]:
        DecodeComparison.Run(presets.Length > 0 ? presets : ["quickstart-engram", "small-engram", "small-moe"]);
        return 0;
    case ["prefill", .. var rest] when rest.Length <= 1:
        PrefillSpeed.Run(rest.Length > 0 ? rest[0] : "small-engram");
        return 0;
    case ["scorer", .. var rest] when rest.Length <= 2:
        ScorerSpeed.Run(
            rest.Length > 0 ? rest[0] : "quickstart-engram",
            threads: rest.Length > 1 ? int.Parse(rest[1]) : Environment.ProcessorCount
        );
        return 0;
    case ["llama", .. var rest] when rest.Length <= 1:
        LlamaComparison.Run(rest.Length > 0 ? rest[0] : null);
        return 0;
    case ["forks", .. var rest] when rest.Length <= 2:
        ForkingBatch.Run(rest.Length > 0 ? rest[0] : "quickstart-engram", rest.Length > 1 ? int.Parse(rest[1]) : 100_000);
        return 0;
    case ["mapped-memory", .. var rest] when rest.Length <= 1:
        MemoryCost.RunManaged(rest.Length > 0 ? rest[0] : "quickstart-engram");
        return 0;
    case ["long-reading", .. var rest] when rest.Length <= 3:
        LongReading.Run(
            preset: rest.Length > 0 ? rest[0] : "small-engram",
            threads: rest.Length > 1 ? int.Parse(rest[1]) : Environment.ProcessorCount,
            lengths: rest.Length > 2 ? [.. rest[2].Split(',').Select(int.Parse)] : [1024, 8192, 32768]
        );
        return 0;
    case ["long-context", .. var rest] when rest.Length <= 4:
        LibTorch.EnsureLoaded();
        LongContext.Run(
            preset: rest.Length > 0 ? rest[0] : "small-engram",
            threads: rest.Length > 1 ? int.Parse(rest[1]) : Environment.ProcessorCount,
            lengths: rest.Length > 2 ? [.. rest[2].Split(',').Select(int.Parse)] : [1024, 8192, 32768],
            longestTraining: rest.Length > 3 ? int.Parse(rest[3]) : 8192
        );
        return 0;
    default:
        Console.Error.WriteLine(
            """
            usage: dotnet run -c Release --project bench/Engram.Benchmarks -- BENCHMARK
              training [THREADS] [STEPS]
              experts [THREADS] [ROUNDS] [2,66,...]
              kernels
              addressing [PYTHON]
              tokenizer TOKENIZER.json TEXT...
              gather [GIB] [THREADS]
              distinct [THREADS]
              sizes
              disk FOLDER
              cache FOLDER
              memory-cost [PRESET] [FORMAT] [THREADS]
              decode [PRESET...]
              prefill [PRESET]
              scorer [PRESET] [THREADS]
              llama [MODEL]
              forks [PRESET] [TOKENS]
              mapped-memory [PRESET]
              long-reading [PRESET] [THREADS] [1024,8192,...]
              long-context [PRESET] [THREADS] [1024,8192,...] [LONGEST TRAINING]
            """
        );
        return 2;
}
