using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Engram.Benchmarks;

/// <summary>
/// Forward and backward pass of each kernel, one thread, at two numbers of rows: the time for a row, and what is allocated for it, which
/// must be nothing.
/// </summary>
[MemoryDiagnoser]
public class KernelBenchmarks
{
    private const int Width = 128;
    private const int Streams = 4;

    /// <summary>An object takes 24 bytes at least, so fewer are no object for a row. The loss keeps a number for each.</summary>
    private const double BytesOfAnObject = 24;

    private DisposeScope? _scope;

    [Params(512, 4096)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        set_num_threads(1);
        _scope = NewDisposeScope();
        _wide = Leaf(Rows, Width);
        _gain = Leaf(Width);
        _streams = Leaf(Rows / Streams, Streams, Width);
        _fn = Leaf(2 * Streams + Streams * Streams, Streams * Width);
        _base = Leaf(2 * Streams + Streams * Streams);
        _scale = Leaf(3);
        _gateStreams = Leaf(1, Rows / Streams, Streams, Width);
        _keyValue = Leaf(1, Rows / Streams, (Streams + 1) * Width);
        _gains = Leaf(Streams, Width);
        _taps = Leaf(Streams * Width, 1, 4);
        _vocabulary = Leaf(256, Width);
        _ages = [.. Enumerable.Range(0, Rows / Streams)];
        _targets = new int[Rows];
    }

    private Tensor _wide = null!,
        _gain = null!,
        _streams = null!,
        _fn = null!,
        _base = null!,
        _scale = null!,
        _gateStreams = null!,
        _keyValue = null!,
        _gains = null!,
        _taps = null!,
        _vocabulary = null!;
    private int[] _ages = null!,
        _targets = null!;

    [GlobalCleanup]
    public void CleanUp() => _scope?.Dispose();

    [Benchmark]
    public void Norm() => BothWays(() => RmsNormKernel.Apply(_wide, _gain, 1e-6));

    [Benchmark]
    public void FeedForward() => BothWays(() => SwiGluKernel.Apply(_wide));

    [Benchmark]
    public void HyperConnection() =>
        BothWays(() =>
        {
            var coefficients = HyperConnectionCoefficientKernel.Apply(_streams, _fn, _base, _scale, 20, 1e-6, 1e-6);
            return HyperConnectionWriteKernel.Apply(_streams, HyperConnectionReadKernel.Apply(_streams, coefficients), coefficients);
        });

    [Benchmark]
    public void Gate() => BothWays(() => ContextGateKernel.Apply(_gateStreams, _keyValue, _gains, _gains, 1e-6, EngramGate.SignedSqrt));

    [Benchmark]
    public void Convolution() => BothWays(() => ShortConvolutionKernel.Apply(_gateStreams, _taps, _gains, _ages, 4, 3, 1e-5));

    [Benchmark]
    public void CrossEntropy() => BothWays(() => LinearCrossEntropyKernel.Apply(_wide, _vocabulary, _targets));

    /// <summary>Measures all kernels. Returns the exit code: 1 if one allocates for rows.</summary>
    public static int Run()
    {
        var configuration = ManualConfig
            .CreateEmpty()
            .AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.Instance))
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .AddLogger(ConsoleLogger.Default)
            .AddExporter(MarkdownExporter.GitHub)
            .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "engram-benchmarks"));
        var summary = BenchmarkRunner.Run<KernelBenchmarks>(configuration);
        var allocated = summary
            .Reports.Where(report => report.Success)
            .Select(report =>
                (
                    Kernel: report.BenchmarkCase.Descriptor.WorkloadMethod.Name,
                    Rows: (int)report.BenchmarkCase.Parameters[nameof(Rows)],
                    Bytes: report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase) ?? 0
                )
            )
            .GroupBy(report => report.Kernel)
            .ToList();
        foreach (var kernel in allocated)
        {
            var (few, many) = (kernel.MinBy(report => report.Rows), kernel.MaxBy(report => report.Rows));
            if ((double)(many.Bytes - few.Bytes) / (many.Rows - few.Rows) >= BytesOfAnObject)
            {
                Console.Error.WriteLine(
                    $"{kernel.Key} allocates {few.Bytes:N0} bytes for {few.Rows} rows and {many.Bytes:N0} for {many.Rows}: a kernel makes "
                        + "no object for a row."
                );
                return 1;
            }
        }

        return allocated.Count == 6 && allocated.All(kernel => kernel.Count() == 2) ? 0 : 1;
    }

    private static Tensor Leaf(params long[] shape) => randn(shape).requires_grad_();

    private static void BothWays(Func<Tensor> kernel)
    {
        using var scope = NewDisposeScope();
        var y = kernel();
        y.backward([ones_like(y)]);
    }
}
