using Mono.Cecil;

namespace Engram.Torch.Tests.Architecture;

/// <summary>The arrows of docs/architecture.md, read from the compiled code.</summary>
public class FloorTests
{
    // Lowest first. Assemblies of one floor are neighbours.
    private static readonly string[][] Floors =
    [
        ["Engram"],
        ["Engram.Models", "Engram.Corpora"],
        ["Engram.Torch", "Engram.Inference"],
        ["Engram.Evaluation"],
        ["Engram.Training"],
        ["Engram.Studies"],
        ["Engram.Cli"],
    ];

    // Floors that a program without libtorch stands on.
    private static readonly string[] Managed = ["Engram", "Engram.Models", "Engram.Corpora", "Engram.Inference"];

    public static TheoryData<string> Assemblies => [.. Floors.SelectMany(floor => floor)];

    [Fact]
    public void Every_assembly_has_a_floor() =>
        Assert.Equal(
            Directory.GetDirectories(Path.Combine(Repository.Root, "src")).Select(Path.GetFileName).Order(),
            Floors.SelectMany(floor => floor).Order()
        );

    [Theory, MemberData(nameof(Assemblies))]
    public void A_floor_uses_only_floors_below(string name)
    {
        using var assembly = Read(name);
        var above = Floors.SkipWhile(floor => !floor.Contains(name)).SelectMany(floor => floor).Where(other => other != name).ToHashSet();
        Assert.DoesNotContain(assembly.MainModule.AssemblyReferences.Select(reference => reference.Name), above.Contains);
    }

    [Theory, MemberData(nameof(Assemblies))]
    public void Managed_floors_do_without_TorchSharp(string name)
    {
        using var assembly = Read(name);
        var uses = assembly.MainModule.AssemblyReferences.Any(reference =>
            reference.Name.StartsWith("TorchSharp", StringComparison.Ordinal)
        );
        Assert.False(uses && Managed.Contains(name), $"{name} refers to TorchSharp, and with it to libtorch.");
    }

    [Fact]
    public void Folders_of_an_assembly_form_no_circle()
    {
        Assert.Empty(
            Floors
                .SelectMany(floor => floor)
                .SelectMany(CirclesOf)
                .Select(circle => $"{circle.Name}\n  {string.Join("\n  ", circle.Uses)}\n")
        );
    }

    [Fact]
    public void Folders_and_namespaces_have_the_same_names()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories))
        {
            var folder = Path.GetRelativePath(Path.Combine(Repository.Root, "src"), Path.GetDirectoryName(file)!)
                .Replace(Path.DirectorySeparatorChar, '.');
            if (File.ReadLines(file).FirstOrDefault(line => line.StartsWith("namespace ", StringComparison.Ordinal)) is { } line)
                Assert.Equal((file, $"namespace {folder};"), (file, line));
        }
    }

    [Fact]
    public void A_circle_is_seen_where_there_is_one()
    {
        Assert.Equal(
            ["b, c, d"],
            Circles([("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("d", "e")]).Select(circle => string.Join(", ", circle))
        );
        Assert.Equal(
            ["a, b", "c, d"],
            Circles([("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]).Select(circle => string.Join(", ", circle))
        );
        using var assembly = AssemblyDefinition.ReadAssembly(typeof(FloorTests).Assembly.Location);
        var uses = TypeUses.In(assembly).Where(use => use.User.Name == nameof(FloorTests)).ToLookup(use => use.Used.Name);
        // what a method returns
        Assert.Contains(uses[nameof(AssemblyDefinition)], use => use.Where.Contains(nameof(Read), StringComparison.Ordinal));
        // an argument of a field's type
        Assert.Contains(uses["IEqualityComparer`1"], use => use.Where.Contains(nameof(Seen), StringComparison.Ordinal));
        // a call
        Assert.Contains(uses[nameof(Repository)], use => use.Where.Contains(nameof(Every_assembly_has_a_floor), StringComparison.Ordinal));
    }

    private static readonly List<IEqualityComparer<string>[]> Seen = [];

    private static AssemblyDefinition Read(string name) =>
        AssemblyDefinition.ReadAssembly(Path.Combine(AppContext.BaseDirectory, $"{name}.dll"));

    private static IEnumerable<(string Name, IEnumerable<string> Uses)> CirclesOf(string name)
    {
        using var assembly = Read(name);
        var uses = TypeUses
            .In(assembly)
            .Where(use =>
                use.Used.Scope == assembly.MainModule
                && IsFolder(use.User)
                && IsFolder(use.Used)
                && use.User.Namespace != use.Used.Namespace
            )
            .ToLookup(use => (From: use.User.Namespace, To: use.Used.Namespace));
        // others come from generators
        bool IsFolder(TypeReference type) => type.Namespace == name || type.Namespace.StartsWith($"{name}.", StringComparison.Ordinal);
        return [.. Circles([.. uses.Select(use => use.Key)]).Select(circle => ($"{name}: {string.Join(", ", circle)}", Shown(circle)))];

        IEnumerable<string> Shown(string[] circle) =>
            [
                .. uses.Where(use => circle.Contains(use.Key.From) && circle.Contains(use.Key.To))
                    .Select(use =>
                        $"{use.Key.From} -> {use.Key.To}: "
                        + $"{string.Join(", ", use.Select(one => $"{one.User.Name} uses {one.Used.Name}").Distinct().Take(5))}"
                    ),
            ];
    }

    /// <summary>The sets of nodes that reach each other, each in order of names.</summary>
    private static IEnumerable<string[]> Circles((string From, string To)[] edges)
    {
        var reached = edges.Select(edge => edge.From).Distinct().ToDictionary(node => node, node => Reached(node, edges));
        return reached
            .Where(node => node.Value.Contains(node.Key))
            .Select(node =>
                node.Value.Where(other => reached.TryGetValue(other, out var back) && back.Contains(node.Key))
                    .Order(StringComparer.Ordinal)
                    .ToArray()
            )
            .DistinctBy(circle => circle[0]);
    }

    private static HashSet<string> Reached(string start, (string From, string To)[] edges)
    {
        var (reached, open) = (new HashSet<string>(), new Stack<string>([start]));
        while (open.TryPop(out var node))
            foreach (var (_, to) in edges.Where(edge => edge.From == node))
                if (reached.Add(to))
                    open.Push(to);
        return reached;
    }
}
