using System.IO.Enumeration;
using Engram.Models.Folders;
using Engram.Models.Recipes;
using Engram.Tables;
using Engram.Torch;

namespace Engram.Training;

/// <summary>
/// What a run leaves as it is: dense parameters, tables and balancing biases by their names on disk, or by patterns of them with * for any
/// characters. What is one tensor while it is trained (the experts of a layer, gate and up projection) is frozen when all its parts are
/// named.
/// </summary>
internal sealed class FrozenParts
{
    private readonly IReadOnlyList<string> _patterns;

    /// <summary>Freezes the dense parameters of a model.</summary>
    /// <param name="model">Its named parameters require no gradient afterwards.</param>
    /// <param name="patterns">Names and patterns.</param>
    /// <exception cref="TrainingOptionException">
    /// A pattern names nothing, or a part of what is one tensor; or nothing is left to train.
    /// </exception>
    public FrozenParts(LanguageModel model, IReadOnlyList<string> patterns)
    {
        _patterns = patterns;
        if (patterns.Count == 0)
            return;
        var transformer = model.Transformer;
        var tables = model.Memory?.LayerIds.Select(TablePaths.Tensor).ToArray() ?? [];
        var others = transformer.RouterBiases.Select(bias => bias.Name).Concat(tables).ToArray();
        var parameters = transformer
            .Parameters.All.Select(parameter => (parameter.Tensor, Names: Names(parameter.Name, parameter.Tensor.shape)))
            .ToArray();
        foreach (var pattern in patterns)
        {
            var named = parameters.Where(parameter => parameter.Names.Any(name => Matches(pattern, name))).ToArray();
            if (named.Length == 0 && !others.Any(name => Matches(pattern, name)))
                throw Refused(
                    pattern,
                    $"it must name parameters as {ModelFolder.WeightsFile} does, for example {parameters[0].Names[0]} or model.layers.0.*"
                );
            if (named.FirstOrDefault(parameter => !parameter.Names.All(Holds)) is { Names: { } parts })
                throw Refused(pattern, $"{parts[0]} and {parts[^1]} are trained as one, with all between them: name all or none");
        }
        var frozen = parameters.Where(parameter => parameter.Names.All(Holds)).ToArray();
        if (frozen.Length == parameters.Length && tables.All(Holds))
            throw Refused(string.Join(", ", patterns), "it leaves nothing to train");
        foreach (var (tensor, _) in frozen)
            tensor.requires_grad = false;
    }

    /// <summary>Whether a name on disk is frozen.</summary>
    public bool Holds(string name) => _patterns.Any(pattern => Matches(pattern, name));

    /// <summary>Whether the table of a memory layer is frozen.</summary>
    /// <param name="layer">0-based block index.</param>
    public bool HoldsTable(int layer) => Holds(TablePaths.Tensor(layer));

    private static string[] Names(string name, long[] shape) => [.. TensorNames.Slices(name, shape).Select(slice => slice.Name)];

    private static bool Matches(string pattern, string name) => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);

    private static TrainingOptionException Refused(string pattern, string why) => new(nameof(TrainingOptions.Frozen), pattern, why);
}
