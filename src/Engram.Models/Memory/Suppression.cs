using System.Globalization;
using Engram.Models.Configuration;

namespace Engram.Models.Memory;

/// <summary>What stands in place of a suppressed row.</summary>
public enum SuppressedRow
{
    /// <summary>The mean of all rows of its head's segment: what the memory says on average stays, what it knows goes.</summary>
    Mean,

    /// <summary>Zeros.</summary>
    Zero,
}

/// <summary>Which tokens of a scored text are read with the suppressed memory.</summary>
public enum SuppressedTokens
{
    /// <summary>All.</summary>
    All,

    /// <summary>Those of the prompt.</summary>
    Prompt,

    /// <summary>Those of the answer.</summary>
    Answer,
}

/// <summary>
/// A part of a memory that is silenced when a trained model is used (Engram paper, section 6.3): everything, one layer, one order, one head
/// of all orders. Rows that nobody else stands for are zeros or means; projections, gates and the convolution go on.
/// </summary>
public sealed record Suppression
{
    /// <summary>Of this layer alone, 0-based; null: of all.</summary>
    public int? Layer { get; init; }

    /// <summary>Of n-grams of this order alone; null: of all.</summary>
    public int? Order { get; init; }

    /// <summary>Of this head of every order alone, from 0; null: of all.</summary>
    public int? Head { get; init; }

    /// <summary>Which tokens it concerns; for whoever scores texts, a memory does not know.</summary>
    public SuppressedTokens Tokens { get; init; }

    /// <summary>What stands in place of a row.</summary>
    public SuppressedRow Replacement { get; init; }

    /// <summary>
    /// Reads <c>all</c>, <c>layer=2</c>, <c>order=3</c> or <c>head=4</c>, joined by commas, and <c>@prompt</c> or <c>@answer</c> behind
    /// them.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="replacement">What stands in place of a row.</param>
    /// <exception cref="FormatException">It is nothing of that kind.</exception>
    public static Suppression Parse(string text, SuppressedRow replacement = SuppressedRow.Mean)
    {
        ArgumentNullException.ThrowIfNull(text);
        var (parts, where) = text.Split('@') switch
        {
            [var all] => (all, SuppressedTokens.All),
            [var before, "prompt"] => (before, SuppressedTokens.Prompt),
            [var before, "answer"] => (before, SuppressedTokens.Answer),
            _ => throw Wrong(text),
        };
        var suppression = new Suppression { Tokens = where, Replacement = replacement };
        if (parts == "all")
            return suppression;
        foreach (var part in parts.Split(','))
            suppression =
                part.Split('=') is [var name, var value]
                && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                    ? name switch
                    {
                        "layer" when suppression.Layer is null => suppression with { Layer = number },
                        "order" when suppression.Order is null => suppression with { Order = number },
                        "head" when suppression.Head is null => suppression with { Head = number },
                        _ => throw Wrong(text),
                    }
                    : throw Wrong(text);
        return suppression;
    }

    /// <summary>Refuses a part that a memory does not have.</summary>
    /// <param name="memory">The configuration of the memory.</param>
    /// <exception cref="ArgumentException">The memory has no such layer, order or head.</exception>
    public void RequireIn(EngramConfiguration memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        Require(Layer, memory.LayerIds, "layer");
        Require(Order, Enumerable.Range(memory.MinNgramSize, memory.Orders), "order");
        Require(Head, Enumerable.Range(0, memory.NHeads), "head");

        static void Require(int? asked, IEnumerable<int> there, string name)
        {
            if (asked is { } number && !there.Contains(number))
                throw new ArgumentException($"{name}={number}: this memory has the {name}s {string.Join(", ", there)}.");
        }
    }

    /// <summary>What <see cref="Parse"/> reads.</summary>
    public override string ToString()
    {
        string[] parts = [Part("layer", Layer), Part("order", Order), Part("head", Head)];
        var named = string.Join(',', parts.Where(part => part.Length > 0));
        return (named.Length > 0 ? named : "all")
            + Tokens switch
            {
                SuppressedTokens.Prompt => "@prompt",
                SuppressedTokens.Answer => "@answer",
                _ => "",
            };

        static string Part(string name, int? number) =>
            number is { } value ? string.Create(CultureInfo.InvariantCulture, $"{name}={value}") : "";
    }

    private static FormatException Wrong(string text) =>
        new(
            $"'{text}' says no part of a memory: write all, layer=2, order=3 or head=4, also joined as layer=2,order=3, and @prompt or "
                + "@answer behind it."
        );
}
