using Engram.Models.Configuration;
using Engram.Torch.Kernels;
using Engram.Torch.Native;
using static TorchSharp.torch;

namespace Engram.Torch.Layers;

// Shape letters: N tokens   n streams   D hidden width   C = 2n + n² coefficients

/// <summary>
/// How one sub-layer is tied to n residual streams: it reads a mixture of them, its output is written back to each, and the streams are
/// mixed among themselves. Every token has coefficients of its own: n to read, n to write, n² to mix, by source and destination.
/// </summary>
internal abstract class StreamConnection
{
    /// <summary>The connection that the configuration asks for, or null for the plain residual.</summary>
    /// <param name="configuration">The model.</param>
    /// <param name="prefix">Of the parameters' names.</param>
    /// <param name="index">Running number of the sub-layer; it decides which stream is read most at the start.</param>
    /// <param name="parameters">Where they are registered.</param>
    public static StreamConnection? Of(ModelConfiguration configuration, string prefix, int index, ModelParameters parameters) =>
        configuration.Residual switch
        {
            ResidualConnection.Mhc => new HyperConnection(configuration, prefix, index, parameters),
            ResidualConnection.Hc => new FreeHyperConnection(configuration, prefix, index, parameters),
            _ => null,
        };

    /// <summary>Number of coefficients per token: n to read, n to write, n² to mix.</summary>
    public static int Coefficients(int streams) => 2 * streams + streams * streams;

    /// <summary>Streams [N, n, D] → (sub-layer input [N, D], coefficients [N, C]: n to read, n to write, n² to mix).</summary>
    public abstract (Tensor Input, Tensor Coefficients) Read(Tensor streams);

    /// <summary>X'[k] = post[k] · y + Σ_m comb[m, k] X[m]. Returns [N, n, D].</summary>
    public Tensor Write(Tensor streams, Tensor output, Tensor coefficients) =>
        Fused.Or(
            streams,
            kernel: () => HyperConnectionWriteKernel.Apply(streams, output, coefficients),
            twin: () => WriteComposed(streams, output, coefficients)
        );

    /// <summary>The twin of the kernel.</summary>
    public static Tensor WriteComposed(Tensor streams, Tensor output, Tensor coefficients)
    {
        var n = streams.size(1);
        var post = coefficients.narrow(1, n, n);
        var comb = coefficients.narrow(1, 2 * n, n * n).view(-1, n, n); // [N, source, destination]
        return (post.unsqueeze(-1) * output.unsqueeze(1)).Plus(comb.transpose(1, 2).matmul(streams));
    }
}
