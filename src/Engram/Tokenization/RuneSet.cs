using System.Globalization;
using System.Text;

namespace Engram.Tokenization;

/// <summary>A set of Unicode scalar values: a union of ranges, general categories and white space, each possibly negated, and the whole possibly negated.</summary>
internal sealed class RuneSet
{
    private readonly Part[] _parts;
    private readonly bool _negated;
    private readonly bool _ignoreCase;
    private readonly UInt128 _ascii;

    /// <summary>One member of the union. A scalar belongs when it lies in the range, has one of the categories, or is asked-for white space.</summary>
    /// <param name="Low">First scalar of the range.</param>
    /// <param name="High">Last scalar; below <paramref name="Low"/> for no range.</param>
    /// <param name="Categories">Bit c stands for <see cref="UnicodeCategory"/> c.</param>
    /// <param name="WhiteSpace">Whether white space belongs.</param>
    /// <param name="Negated">Whether everything else belongs instead.</param>
    public readonly record struct Part(int Low = 1, int High = 0, uint Categories = 0, bool WhiteSpace = false, bool Negated = false)
    {
        public bool Contains(Rune rune) =>
            ((rune.Value >= Low && rune.Value <= High)
                || (Categories >> (int)Rune.GetUnicodeCategory(rune) & 1) != 0
                || (WhiteSpace && Rune.IsWhiteSpace(rune))) != Negated;
    }

    /// <param name="parts">The union.</param>
    /// <param name="negated">Whether the set is everything else.</param>
    /// <param name="ignoreCase">Whether a rune also belongs when its upper or lower case does.</param>
    public RuneSet(IEnumerable<Part> parts, bool negated, bool ignoreCase)
    {
        _parts = [.. parts];
        _negated = negated;
        _ignoreCase = ignoreCase;
        for (var value = 0; value < 128; value++)
            if (ContainsSlowly(new Rune(value))) _ascii |= UInt128.One << value;
    }

    public bool Contains(Rune rune) => rune.IsAscii ? (_ascii >> rune.Value & UInt128.One) != UInt128.Zero : ContainsSlowly(rune);

    /// <summary>The categories of a name such as "L" (all letters) or "Lu"; null for a name that is none.</summary>
    public static uint? CategoriesNamed(string name)
    {
        var index = Array.IndexOf(CategoryNames, name);
        if (index >= 0) return 1u << index;
        if (name.Length != 1) return null;
        uint categories = 0;
        for (var category = 0; category < CategoryNames.Length; category++)
            if (CategoryNames[category][0] == name[0]) categories |= 1u << category;
        return categories == 0 ? null : categories;
    }

    // In the order of UnicodeCategory.
    private static readonly string[] CategoryNames =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co",
        "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    private bool ContainsSlowly(Rune rune) =>
        (InUnion(rune) || (_ignoreCase && (InUnion(Rune.ToLowerInvariant(rune)) || InUnion(Rune.ToUpperInvariant(rune))))) != _negated;

    private bool InUnion(Rune rune)
    {
        foreach (var part in _parts)
            if (part.Contains(rune)) return true;
        return false;
    }
}
