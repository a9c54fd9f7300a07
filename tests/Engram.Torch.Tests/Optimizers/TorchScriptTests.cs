using Engram.Torch.Tests.Native;
using Engram.Training.Optimizers;
using TorchSharp;

namespace Engram.Torch.Tests.Optimizers;

public class TorchScriptTests
{
    // A script with an unknown operator ends the process, so the first compilation belongs in another one.
    [Fact]
    public Task Every_function_compiles_and_runs() => ChildProcess.Passes(typeof(TorchScriptTests), nameof(Compile_and_call));

    [Fact(Explicit = true)]
    public void Compile_and_call()
    {
        TorchScript.Compile();
        using var scope = torch.NewDisposeScope();
        using var noGrad = torch.no_grad();
        var (p, g, m, v) = (torch.ones(1, 2, 2), torch.ones(1, 2, 2), torch.zeros(1, 2, 2), torch.zeros(1, 2, 2));
        TorchScript.AdamW([p], [g], [m], [v], torch.ones([]), 0.1, 0.9, 0.95, 0, 1e-20);
        Assert.Equal(0.9f, p[0, 0, 0].item<float>(), 6);
        Assert.Equal(2f, TorchScript.Norms([g])[0].item<float>(), 6);
        TorchScript.Scale([g], 0.5);
        Assert.Equal(0.5f, g[0, 1, 1].item<float>());
        TorchScript.Muon([p], [g], m, 0.95, true, 1, 0.1, NewtonSchulz.Jordan);
        Assert.Equal([1L, 2, 2], TorchScript.Orthogonalize(p, NewtonSchulz.Hybrid).shape);
    }
}
