using System.Diagnostics;
using static TorchSharp.torch;

namespace Engram.Training;

/// <summary>The float32 matrix-product rate of this machine under the current thread setting: the yardstick for training speed.</summary>
public static class MatmulPeak
{
    private const int Size = 1024;

    /// <summary>
    /// Best of several products of 1024 × 1024 matrices, in floating-point operations per second. Takes about a quarter of a second.
    /// </summary>
    public static double Measure(Device device)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var (a, b) = (randn(Size, Size, device: device), randn(Size, Size, device: device));
        var best = double.MaxValue;
        for (var i = 0; i < 12; i++)
        {
            var clock = Stopwatch.StartNew();
            using var product = a.mm(b);
            // Reading one element waits for an asynchronous device.
            _ = product[0, 0].item<float>();
            best = Math.Min(best, clock.Elapsed.TotalSeconds);
        }

        return 2.0 * Size * Size * Size / best;
    }
}
