using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch.Layers;
using Engram.Torch.Tests.Training;
using static TorchSharp.torch;

namespace Engram.Torch.Tests.Memory;

/// <summary>
/// Models whose parameters lie away from their starting values, as after training: gains, taps and tables that all matter.
/// </summary>
internal static class RandomModel
{
    public static LanguageModel Create(ModelConfiguration configuration, int seed = 3)
    {
        if (configuration.Engram is { } memory)
            configuration = configuration with { Engram = memory with { TableInitStd = 0.7 } };
        var model = LanguageModel.Create(configuration, TinyCorpus.Shared.Tokenizer, seed);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        foreach (var parameter in model.Transformer.Parameters.All)
        {
            var noise = randn(parameter.Tensor.shape, generator: generator);
            if (parameter.Role == ParameterRole.Vector)
                parameter.Tensor.add_(noise * 0.2);
            else
                parameter.Tensor.copy_(noise * 0.12);
        }

        foreach (var (_, bias) in model.Transformer.RouterBiases)
            for (var e = 0; e < bias.Length; e++)
                bias.Span[e] = 0.01f * e;
        return model;
    }

    /// <summary>Does something with the memory that a use stands for.</summary>
    public static T Under<T>(this LanguageModel model, MemoryUse use, Func<MemoryBank?, T> act)
    {
        using var control = model.Memory?.Ablation(use);
        return act(use == MemoryUse.Off ? null : control ?? model.Memory);
    }
}
