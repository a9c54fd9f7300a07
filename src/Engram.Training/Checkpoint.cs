using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Engram.Models;
using Engram.Models.Folders;
using Engram.Storage;
using Engram.Training.Optimizers;
using static TorchSharp.torch;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Engram.Training;

/// <summary>Time spent on a run, carried across interruptions.</summary>
/// <param name="WallSeconds">Of the processes before this one.</param>
/// <param name="TrainingSeconds">In updates.</param>
/// <param name="TrainedTokens">In those updates.</param>
internal readonly record struct TrainingClock(double WallSeconds, double TrainingSeconds, long TrainedTokens)
{
    public TrainingClock Trained(double seconds, long tokens) => this with { TrainingSeconds = TrainingSeconds + seconds, TrainedTokens = TrainedTokens + tokens };
}

/// <summary>
/// A model folder with <c>training/</c>: <c>optimizer.safetensors</c>, <c>table-NN.safetensors</c>, <c>trainer.json</c>. Data order and starting
/// values are functions of the seed, and an update draws no random number, so the update count is the whole state of data and randomness.
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

    private sealed record TrainerState(long Step, TrainingClock Clock);

    /// <summary>Writes a checkpoint; the folder appears under its name only when complete.</summary>
    public static void Save(string folder, LanguageModel model, DenseOptimizer optimizer, TableTrainer? tables, long step, TrainingClock clock) =>
        ModelFolder.ReplaceFolder(folder, temporary =>
        {
            ModelFolder.WriteInto(model, temporary);
            var training = Directory.CreateDirectory(Path.Combine(temporary, "training")).FullName;
            SaveMoments(optimizer, Path.Combine(training, Optimizer));
            tables?.Save(training);
            AtomicFile.WriteAllText(Path.Combine(training, Trainer), JsonSerializer.Serialize(new TrainerState(step, clock), Json));
        });

    /// <summary>Reads the training state beside a model.</summary>
    /// <param name="folder">The checkpoint.</param>
    /// <param name="step">Updates it was written after, as its name says.</param>
    /// <param name="optimizer">Receives the moments of the dense parameters.</param>
    /// <param name="tables">Receives those of the tables.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged or belongs to another model or update.</exception>
    public static TrainingClock Load(string folder, long step, DenseOptimizer optimizer, TableTrainer? tables)
    {
        var training = Path.Combine(folder, "training");
        LoadMoments(optimizer, Path.Combine(training, Optimizer));
        tables?.Load(training);
        var state = ReadState(Path.Combine(training, Trainer));
        return state.Step == step ? state.Clock
            : throw new InvalidDataException($"{Path.Combine(training, Trainer)} is of update {state.Step}, but its folder of update {step}.");
    }

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

    private static void SaveMoments(DenseOptimizer optimizer, string path)
    {
        using var scope = NewDisposeScope();
        var writer = new SafetensorsWriter();
        foreach (var (name, value) in optimizer.State())
        {
            using (value)
                writer.Add(name, DType.F32, Values(value.cpu().contiguous()), value.shape);
        }

        writer.Write(path);
    }

    private static void LoadMoments(DenseOptimizer optimizer, string path)
    {
        using var scope = NewDisposeScope();
        using var file = SafetensorsFile.Open(path);
        var state = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var info in file.Tensors.Values)
        {
            var tensor = empty(info.Shape, ScalarType.Float32);
            file.CopyTo(info.Name, Values(tensor), info.Shape);
            if (!TensorPrimitives.IsFiniteAll<float>(Values(tensor)))
                throw new InvalidDataException($"{path}: tensor '{info.Name}' holds a value that is not finite.");
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

    private static Span<float> Values(Tensor host) => MemoryMarshal.Cast<byte, float>(host.bytes);
}
