using Engram.Torch.Native;
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
        TorchScript.Muon([p], [g], m, 0.95, true, 1, 0.1, 0, NewtonSchulz.Jordan);
        Assert.Equal([1L, 2, 2], TorchScript.Orthogonalize(p, NewtonSchulz.Hybrid).shape);
    }

    // Collections at every moment are no company for other tests of the process; unoptimised code holds its arguments longer.
    [Fact]
    public Task Arguments_outlive_garbage_collections_during_a_call() =>
        ChildProcess.Passes(typeof(TorchScriptTests), nameof(Call_during_collections), ("DOTNET_TieredCompilation", "0"));

    [Fact(Explicit = true)]
    public void Call_during_collections()
    {
        using var scope = torch.NewDisposeScope();
        using var noGrad = torch.no_grad();
        var expected = Updates();
        using var ended = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!ended.IsCancellationRequested)
            {
                GC.Collect(0);
                Thread.SpinWait(20_000);
            }
        });
        collector.Start();
        try
        {
            for (var i = 0; i < 60; i++)
                Assert.Equal(expected, Updates());
        }
        finally
        {
            ended.Cancel();
            collector.Join();
        }
    }

    // Every number of every script, and of the model's arithmetic, has a part in the result.
    private static float[] Updates()
    {
        using var scope = torch.NewDisposeScope();
        var (p, g, m, v, step) = (
            torch.ones(2, 2, 3),
            torch.arange(12, torch.ScalarType.Float32).reshape(2, 2, 3).sin(),
            torch.zeros(2, 2, 3),
            torch.zeros(2, 2, 3),
            torch.ones([])
        );
        for (var i = 0; i < 50; i++)
        {
            TorchScript.Scale([g], 1.01);
            TorchScript.AdamW([p], [g], [m], [v], step, 0.01, 0.9, 0.95, 0.1, 1e-8);
            TorchScript.Muon([p], [g], m, 0.95, nesterov: true, shrink: 0.99, rate: 0.01, floor: 0, NewtonSchulz.Hybrid);
            p.Accumulate(TorchScript.Orthogonalize(g, NewtonSchulz.Jordan).Times(0.01).Plus(0.001).Plus(m));
        }
        return [.. p.data<float>(), .. m.data<float>(), .. v.data<float>()];
    }
}
