using static TorchSharp.torch;

namespace Engram.Torch.Kernels;

/// <summary>
/// A managed kernel with a backward pass of its own, which gives memory back as the backward pass of the model goes along. Left to dispose
/// scopes, every gradient and every saved tensor of a step would live until the step ends. Its graph can be walked once.
/// </summary>
internal abstract class HostFunction<T> : autograd.SingleTensorFunction<T>
    where T : HostFunction<T>, new()
{
    public sealed override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradient)
    {
        HandedGradients.Release();
        using var scope = NewDisposeScope();
        var results = Backward(ctx, ctx.get_saved_variables(), gradient.contiguous());
        HandedGradients.Keep(results);
        ctx.Dispose();
        gradient.Dispose();
        return results;
    }

    /// <summary>Gradients of the inputs, null for what is no tensor. Runs in a dispose scope of its own.</summary>
    /// <param name="ctx">Holds other saved data.</param>
    /// <param name="saved">The tensors saved in the forward pass.</param>
    /// <param name="gradient">Of the output, contiguous.</param>
    protected abstract List<Tensor> Backward(autograd.AutogradContext ctx, List<Tensor> saved, Tensor gradient);
}

/// <summary>
/// What the last managed backward function returned. libtorch reads the handles after the function has ended, so they are freed when the
/// next one begins: from then on libtorch alone owns the gradients, adds to them in place and frees them.
/// </summary>
internal static class HandedGradients
{
    [ThreadStatic]
    private static List<Tensor>? _handed;

    public static void Keep(List<Tensor> results)
    {
        _handed = results;
        foreach (var result in results)
            result?.DetachFromDisposeScope();
    }

    public static void Release()
    {
        foreach (var result in _handed ?? [])
            result?.Dispose();
        _handed = null;
    }
}
