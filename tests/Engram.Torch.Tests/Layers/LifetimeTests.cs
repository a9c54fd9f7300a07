using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using Engram.Torch.Layers;
using Engram.Torch.Sequences;
using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Layers;

/// <summary>Native memory belongs to scopes: no step leaves anything behind.</summary>
[OneThread, Collection(nameof(AloneInTheProcess))]
public partial class LifetimeTests
{
    /// <summary>What the process allocates is counted, so no other test may run beside these.</summary>
    [CollectionDefinition(nameof(AloneInTheProcess), DisableParallelization = true)]
    public class AloneInTheProcess;

    [Fact]
    public void Live_tensors_stay_flat_over_training_steps()
    {
        using var model = TinyModels.Build(TinyModels.Full with { AttentionDocumentMask = true, SequenceAuxiliaryLossAlpha = 0.1 });
        Flat(() => Step(model, sequences: 2, length: 40));
    }

    [Fact]
    public void Live_tensors_stay_flat_over_decoding_steps()
    {
        using var model = TinyModels.Build(TinyModels.Full);
        using var state = model.NewState();
        using (NewDisposeScope())
            Decode(model, state, 5); // past the growth of the rotary table
        Flat(() => Decode(model, state, 1));
    }

    [Fact]
    public void A_disposed_state_and_model_leave_nothing()
    {
        Flat(() =>
        {
            using var model = TinyModels.Build(TinyModels.Full);
            using var state = model.NewState();
            Decode(model, state, 3);
        });
    }

    [Fact]
    public void Native_memory_does_not_grow_over_training_steps()
    {
        var configuration = TinyModels.Full with
        {
            HiddenSize = 64,
            VocabularySize = 512,
            IntermediateSize = 128,
            MoeIntermediateSize = 64,
        };
        using var model = TinyModels.Build(configuration);
        // A step that kept its loss, and with it the graph, would keep 9 MB a step: 126 MB.
        KeepsNothing(warmUp: 6, steps: 14, () => Step(model, sequences: 4, length: 64));
    }

    [Fact]
    public void A_backward_pass_keeps_no_gradients()
    {
        using var scope = NewDisposeScope();
        var (y, gain) = (Leaf(8, 16), Leaf(16));
        for (var i = 0; i < 32; i++)
            y = RmsNormKernel.Apply(y, gain, 1e-6);
        var loss = y.sum();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        loss.backward();
        // What the last function returned waits for the next one: two gradients.
        Assert.InRange(DisposeScopeManager.Statistics.ThreadTotalLiveCount - before, -32, 2);
    }

    [Fact]
    public void A_forward_pass_and_a_loss_keep_handles_of_their_results_only()
    {
        using var model = TinyModels.Build(TinyModels.Full with { SequenceAuxiliaryLossAlpha = 0.1 });
        using var run = new TransformerRun(model.Configuration, 2, 8);
        using var scope = NewDisposeScope();
        model.Forward(run.Ids, run.Starts, 2, run.Memory, training: true); // makes the rotary table, which stays
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var (hidden, _) = model.Forward(run.Ids, run.Starts, 2, run.Memory, training: true);
        Assert.Equal(2, DisposeScopeManager.Statistics.ThreadTotalLiveCount - before);
        model.Loss(hidden, run.Ids);
        Assert.Equal(3, DisposeScopeManager.Statistics.ThreadTotalLiveCount - before);
    }

    public static TheoryData<string> Kernels => [.. KernelRuns.Keys];

    // One million values: every input, output and saved tensor is 4 MB or more.
    private const int Rows = 8192;
    private const int Width = 128;

    private static Dictionary<string, Func<Tensor>> KernelRuns { get; } =
        new()
        {
            ["norm"] = () => RmsNormKernel.Apply(Leaf(Rows, Width), Leaf(Width), 1e-6),
            ["feed-forward"] = () => SwiGluKernel.Apply(Leaf(Rows, Width)),
            ["gate"] = () =>
                ContextGateKernel.Apply(
                    Leaf(1, Rows / 2, 2, Width),
                    Leaf(1, Rows / 2, 3 * Width),
                    Leaf(2, Width),
                    Leaf(2, Width),
                    1e-6,
                    EngramGate.SignedSqrt
                ),
            ["convolution"] = () =>
                ShortConvolutionKernel.Apply(
                    Leaf(64, Rows / 128, 2, Width),
                    Leaf(2 * Width, 1, 4),
                    Leaf(2, Width),
                    Sample.Ages([], 64, Rows / 128),
                    4,
                    3,
                    1e-5
                ),
            ["hyper-connection"] = () =>
            {
                var x = Leaf(Rows / 4, 4, Width);
                var coefficients = HyperConnectionCoefficientKernel.Apply(x, Leaf(24, 4 * Width), Leaf(24), Leaf(3), 20, 1e-6, 1e-6);
                return HyperConnectionWriteKernel.Apply(x, HyperConnectionReadKernel.Apply(x, coefficients), coefficients);
            },
            ["cross-entropy, many rows"] = () => LinearCrossEntropyKernel.Apply(Leaf(Rows, Width), Leaf(64, Width), new int[Rows]),
            ["cross-entropy, many ids"] = () => LinearCrossEntropyKernel.Apply(Leaf(64, Width), Leaf(Rows, Width), new int[64]),
            ["grouped product"] = () => GroupedMatmul.Apply(Leaf(Rows, Width), Leaf(4, Width, Width), [0, Rows / 2, Rows / 2, Rows]),
        };

    [Theory, MemberData(nameof(Kernels))]
    public void Kernels_free_what_they_save(string kernel)
    {
        var run = KernelRuns[kernel];
        void Once()
        {
            using var scope = NewDisposeScope();
            var y = run();
            y.backward([ones_like(y)]);
        }

        Flat(Once);
        // One leaked tensor of 4 MB per run would be 64 MB.
        KeepsNothing(warmUp: 3, steps: 16, Once);
    }

    private static Tensor Leaf(params long[] shape) => Sample.Leaf(1, ScalarType.Float32, shape);

    private static void Step(EngramTransformer model, int sequences, int length)
    {
        using var scope = NewDisposeScope();
        bool[] starts = [.. Enumerable.Range(0, sequences * length).Select(i => i % 9 == 0)];
        using var run = new TransformerRun(model.Configuration, sequences, length) { Starts = starts };
        var (hidden, auxiliary) = model.Forward(run.Ids, run.Starts, sequences, run.Memory, training: true);
        var loss = model.Loss(hidden, run.Ids);
        (auxiliary is null ? loss : loss + auxiliary).backward();
        model.UpdateRouterBiases();
        foreach (var parameter in model.Parameters.All)
            parameter.Tensor.grad = null;
    }

    private static void Decode(EngramTransformer model, SequenceState state, int tokens)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var run = new TransformerRun(model.Configuration, 1, tokens);
        model.Logits(model.Continue([state], run.Ids, run.Memory));
    }

    private static void Flat(Action step)
    {
        for (var i = 0; i < 2; i++)
            step();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 8; i++)
            step();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static void KeepsNothing(int warmUp, int steps, Action step)
    {
        Assert.SkipUnless(
            NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "mallinfo2", out _),
            "The C library does not count what is allocated."
        );
        for (var i = 0; i < warmUp; i++)
            step();
        // A step that keeps something keeps it in every window; the runtime, which compiles
        // and collects on threads of its own, allocates a few megabytes in some of them.
        var growths = new long[4];
        for (var window = 0; window < growths.Length; window++)
        {
            GC.Collect(); // what others left to the finalizers is no part of the window
            GC.WaitForPendingFinalizers();
            var before = Allocated();
            for (var i = 0; i < steps; i++)
                step();
            growths[window] = Allocated() - before;
            if (Math.Abs(growths[window]) < 1 << 20)
                return;
        }

        Assert.Fail($"Allocated bytes grew by {string.Join(", ", growths)} in {growths.Length} windows of {steps} steps.");
    }

    private static long Allocated()
    {
        var counts = AllocatorCounts();
        return (long)(counts[4] + counts[7]); // hblkhd, in mappings of their own, and uordblks, in the arenas
    }

    [LibraryImport("libc", EntryPoint = "mallinfo2")]
    private static partial MallocCounts AllocatorCounts();

    // struct mallinfo2 of the GNU C library: ten sizes in bytes
    [InlineArray(10)]
    private struct MallocCounts
    {
        private nuint _first;
    }
}
