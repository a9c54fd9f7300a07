using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Engram.Models.Configuration;
using Engram.Torch;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Benchmarks;

/// <summary>
/// What long texts cost: one training pass, one reading of the whole, and one in pieces through a state, at several lengths, with time per
/// token and the peak of the process's memory; and how far the hidden states of pieces are from those of the whole. One JSON object a line.
/// </summary>
internal static class LongContext
{
    private const int Piece = 1024;

    /// <summary>Runs the lengths one after the other; those beyond <paramref name="longestTraining"/> are read only.</summary>
    public static void Run(string preset, int threads, int[] lengths, int longestTraining)
    {
        ThreadSettings.IntraOperation = threads;
        var configuration = Presets.Load(preset);
        using var transformer = new EngramTransformer(
            ContextExtension.Extend(
                configuration,
                lengths.Max(),
                factor: Math.Max(10, (double)lengths.Max() / configuration.MaxPositionEmbeddings)
            )
        );
        transformer.Parameters.Initialize(1);
        foreach (var length in lengths)
        {
            var random = new Random(length);
            var ids = Enumerable.Range(0, length).Select(_ => random.Next(2, configuration.VocabularySize)).ToArray();
            if (length <= longestTraining)
                Write("training pass", () => Train(transformer, ids));
            Tensor? whole = null,
                pieces = null;
            Write("whole", () => whole = Whole(transformer, ids));
            Write("pieces", () => pieces = Pieces(transformer, ids));
            using (whole)
            using (pieces)
            {
                var difference = (whole! - pieces!).abs().max().item<float>() / whole!.abs().max().item<float>();
                Line(
                    new
                    {
                        preset,
                        tokens = length,
                        what = "largest difference of pieces, of the largest hidden value",
                        value = difference,
                    }
                );
            }

            void Write(string what, Action action)
            {
                ResetPeak();
                var clock = Stopwatch.StartNew();
                action();
                var seconds = clock.Elapsed.TotalSeconds;
                Line(
                    new
                    {
                        preset,
                        tokens = length,
                        threads,
                        what,
                        microseconds_per_token = Math.Round(1e6 * seconds / length, 1),
                        peak_mebibytes = PeakKibibytes() / 1024,
                    }
                );
            }
        }
    }

    private static void Train(EngramTransformer transformer, int[] ids)
    {
        using var scope = NewDisposeScope();
        var (hidden, _) = transformer.Forward(ids, [], 1, null, training: true);
        transformer.Loss(hidden, ids).backward();
        foreach (var parameter in transformer.Parameters.All)
            parameter.Tensor.grad = null;
    }

    private static Tensor Whole(EngramTransformer transformer, int[] ids)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        return transformer.Forward(ids, [], 1, null).Hidden.DetachFromDisposeScope();
    }

    private static Tensor Pieces(EngramTransformer transformer, int[] ids)
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        using var state = transformer.NewState();
        Tensor[] hidden = [.. ids.Chunk(Piece).Select(piece => transformer.Continue([state], piece, null))];
        return cat(hidden, 0).DetachFromDisposeScope();
    }

    private static void Line(object value) => Console.WriteLine(JsonSerializer.Serialize(value));

    /// <summary>Linux forgets the peak of a process on request.</summary>
    private static void ResetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    private static long PeakKibibytes()
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
