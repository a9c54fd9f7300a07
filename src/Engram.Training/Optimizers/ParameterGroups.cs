using Engram.Models.Recipes;
using Engram.Torch.Layers;

namespace Engram.Training.Optimizers;

/// <summary>Which update rule every dense parameter of a model has: each exactly one.</summary>
/// <param name="Muon">Matrices orthogonalised one by one.</param>
/// <param name="Decayed">AdamW with weight decay: token embedding and output head, and matrices that are kept from Muon.</param>
/// <param name="Undecayed">AdamW without weight decay: gains, biases, scales, convolution taps.</param>
public sealed record ParameterGroups(
    IReadOnlyList<ModelParameter> Muon,
    IReadOnlyList<ModelParameter> Decayed,
    IReadOnlyList<ModelParameter> Undecayed
)
{
    private const string Router = ".mlp.gate.weight";

    /// <summary>Divides the parameters by their role. Parameters that require no gradient are frozen and in no group.</summary>
    /// <param name="parameters">All dense parameters of a model.</param>
    /// <param name="matrices">Rule of the hidden matrices.</param>
    /// <param name="router">Rule of the expert routers, which are matrices too; AdamW wherever the matrices have it.</param>
    /// <exception cref="ArgumentException">A name occurs twice, a role is unknown, or a matrix has neither two nor three axes.</exception>
    public static ParameterGroups Of(
        IReadOnlyList<ModelParameter> parameters,
        MatrixOptimizer matrices = MatrixOptimizer.Muon,
        MatrixOptimizer router = MatrixOptimizer.Muon
    )
    {
        var groups = (Muon: new List<ModelParameter>(), Decayed: new List<ModelParameter>(), Undecayed: new List<ModelParameter>());
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var parameter in parameters)
        {
            if (!names.Add(parameter.Name))
                throw new ArgumentException(
                    $"Parameter '{parameter.Name}' is listed twice and would be updated twice.",
                    nameof(parameters)
                );
            if (!parameter.Tensor.requires_grad)
                continue;
            var group = parameter.Role switch
            {
                ParameterRole.Matrix when parameter.Tensor.dim() is not (2 or 3) => throw new ArgumentException(
                    $"Parameter '{parameter.Name}' [{string.Join(", ", parameter.Tensor.shape)}] has the role of a matrix, but "
                        + "is no matrix and no stack of matrices.",
                    nameof(parameters)
                ),
                ParameterRole.Matrix => WithMuon(parameter) ? groups.Muon : groups.Decayed,
                ParameterRole.Vocabulary => groups.Decayed,
                ParameterRole.Vector => groups.Undecayed,
                _ => throw new ArgumentException(
                    $"Parameter '{parameter.Name}' has the unknown role {parameter.Role}.",
                    nameof(parameters)
                ),
            };
            group.Add(parameter);
        }
        return new ParameterGroups(groups.Muon, groups.Decayed, groups.Undecayed);

        bool WithMuon(ModelParameter parameter) =>
            matrices == MatrixOptimizer.Muon
            && (router == MatrixOptimizer.Muon || !parameter.Name.EndsWith(Router, StringComparison.Ordinal));
    }
}
