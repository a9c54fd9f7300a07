using System.Reflection;

namespace Engram.Torch.Tests.Architecture;

/// <summary>A banned symbol that names nothing bans nothing, and the analyser says no word about it.</summary>
public class BannedSymbolsTests
{
    public static TheoryData<string> Lines =>
        [
            .. new[] { "BannedSymbols.txt", "BannedSymbols.Libraries.txt" }
                .SelectMany(file => File.ReadAllLines(Path.Combine(Repository.Root, file)))
                .Where(line => line.Length > 0),
        ];

    [Theory, MemberData(nameof(Lines))]
    public void A_banned_symbol_is_there_and_has_a_reason(string line)
    {
        var (symbol, reason) = line.Split(';', 2) is [var before, var behind] ? (before, behind) : (line, "");
        Assert.True(reason.Length > 10, $"{symbol} has no reason.");
        Assert.True(Names(symbol).Contains(symbol), $"{symbol} names nothing.");
    }

    [Fact]
    public void What_is_misspelt_names_nothing() =>
        Assert.All(
            new[] { "T:System.Consul", "P:System.DateTime.Later", "M:System.Double.Parse(System.Int32)" },
            symbol => Assert.DoesNotContain(symbol, Names(symbol))
        );

    /// <summary>The documentation ids of the type that a symbol belongs to, and of its members.</summary>
    private static HashSet<string> Names(string symbol)
    {
        var path = symbol[2..].Split('(')[0];
        var name = symbol[0] == 'T' ? path : path[..path.LastIndexOf('.')];
        if (Find(name) is not { } type)
            return [];
        return
        [
            $"T:{type.FullName}",
            .. type.GetProperties().Select(property => $"P:{type.FullName}.{property.Name}"),
            .. type.GetMethods().Select(method => MemberId(method, method.Name)),
            .. type.GetConstructors().Select(constructor => MemberId(constructor, "#ctor")),
        ];

        string MemberId(MethodBase method, string called) =>
            $"M:{type.FullName}.{called}{(method.GetParameters() is { Length: > 0 } given ? $"({string.Join(",", given.Select(parameter => Id(parameter.ParameterType)))})" : "")}";
    }

    private static Type? Find(string name) =>
        ((Assembly[])[typeof(object).Assembly, typeof(Console).Assembly])
            .Select(assembly => assembly.GetType(name))
            .FirstOrDefault(type => type is not null);

    private static string Id(Type type) =>
        type.IsByRef ? $"{Id(type.GetElementType()!)}@"
        : !type.IsGenericType ? type.FullName ?? type.Name
        : $"{type.Namespace}.{type.Name.Split('`')[0]}{{{string.Join(",", type.GetGenericArguments().Select(Id))}}}";
}
