using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Models.Folders;
using Engram.Storage;
using Engram.Torch;
using Engram.Torch.Kernels;
using Engram.Training.Optimizers;
using static TorchSharp.torch;

namespace Engram.Training;

/// <summary>Time spent on a run, carried across interruptions.</summary>
/// <param name="WallSeconds">Of the processes before this one.</param>
/// <param name="TrainingSeconds">In updates.</param>
/// <param name="TrainedTokens">In those updates.</param>
internal readonly record struct TrainingClock(double WallSeconds, double TrainingSeconds, long TrainedTokens)
{
    public TrainingClock Trained(double seconds, long tokens) =>
        this with
        {
            TrainingSeconds = TrainingSeconds + seconds,
            TrainedTokens = TrainedTokens + tokens,
        };
}

/// <summary>
/// A model folder with <c>training/</c>: <c>optimizer.safetensors</c>, <c>table-NN.safetensors</c>, <c>trainer.json</c>. Data order and
/// starting values are functions of the seed, and an update draws no random number, so the update count is the whole state of data and
/// randomness.
/// </summary>
internal static class Checkpoint
{
    private const string Optimizer = "optimizer.safetensors";
    private const string Trainer = "trainer.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    private sealed record TrainerState(long Step, TrainingClock Clock, int? Threads = null);

    /// <summary>Writes a checkpoint; the folder appears under its name only when complete.</summary>
    /// <param name="folder">Its place.</param>
    /// <param name="model">What is trained.</param>
    /// <param name="optimizer">Of the dense parameters.</param>
    /// <param name="step">Updates done.</param>
    /// <param name="clock">Time spent.</param>
    public static void Save(string folder, LanguageModel model, DenseOptimizer optimizer, long step, TrainingClock clock) =>
        FolderReplacement.Replace(
            folder,
            temporary =>
            {
                LanguageModelFolder.WriteWithoutTables(model, temporary);
                var training = Directory.CreateDirectory(Path.Combine(temporary, "training")).FullName;
                SaveMoments(optimizer, Path.Combine(training, Optimizer));
                model.Memory?.Tables.SaveCheckpoint(temporary, training, step);
                AtomicFile.WriteAllText(
                    Path.Combine(training, Trainer),
                    JsonSerializer.Serialize(new TrainerState(step, clock, get_num_threads()), Json)
                );
            }
        );

    /// <summary>Reads the training state beside a model, and returns tables that are trained in place to it.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="step">Updates it was written after, as its name says.</param>
    /// <param name="model">Read from the checkpoint.</param>
    /// <param name="optimizer">Receives the moments of the dense parameters.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or belongs to another model or update.</exception>
    public static TrainingClock Load(string folder, long step, LanguageModel model, DenseOptimizer optimizer)
    {
        var training = Path.Combine(folder, "training");
        LoadMoments(optimizer, Path.Combine(training, Optimizer));
        var state = ReadState(Path.Combine(training, Trainer));
        if (state.Step != step)
            throw new InvalidDataException(
                $"{Path.Combine(training, Trainer)} is of update {state.Step}, but its folder of update {step}."
            );
        model.Memory?.Tables.Restore(training, step);
        return state.Clock;
    }

    /// <summary>Threads of one tensor operation in the process that wrote a checkpoint; null if it does not say.</summary>
    /// <exception cref="FileNotFoundException">The checkpoint is incomplete.</exception>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static int? Threads(string folder) => ReadState(Path.Combine(folder, "training", Trainer)).Threads;

    private static TrainerState ReadState(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<TrainerState>(File.ReadAllText(path), Json) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private static unsafe void SaveMoments(DenseOptimizer optimizer, string path)
    {
        using var scope = NewDisposeScope();
        var writer = new SafetensorsWriter();
        // The writer reads the tensors where they are, so they live until the file is written.
        foreach (var (name, value) in optimizer.State())
            writer.Add(name, DType.F32, HostTensor.Pointer(value.cpu().contiguous()), value.shape);

        writer.Write(path);
    }

    private static unsafe void LoadMoments(DenseOptimizer optimizer, string path)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(path);
        var state = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var info in file.Tensors.Values)
        {
            var tensor = empty(info.Shape, ScalarType.Float32);
            DenseWeights.Read(file, info.Name, HostTensor.Pointer(tensor), info.Shape);
            state.Add(info.Name, tensor);
        }

        try
        {
            optimizer.Load(state);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }
}
