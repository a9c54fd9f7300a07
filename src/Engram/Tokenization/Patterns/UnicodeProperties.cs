using System.Globalization;

namespace Engram.Tokenization.Patterns;

/// <summary>
/// Named sets of scalars: general categories from the runtime, scripts and a few other properties from the table beside this file, which
/// holds those of Unicode 16.0, the version that the reference's regular expressions and .NET 10 go by. Names are compared without case,
/// spaces, "_" and "-".
/// </summary>
internal static class UnicodeProperties
{
    // In the order of UnicodeCategory.
    private static readonly string[] CategoryNames =
    [
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "Mn",
        "Mc",
        "Me",
        "Nd",
        "Nl",
        "No",
        "Zs",
        "Zl",
        "Zp",
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Pc",
        "Pd",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Po",
        "Sm",
        "Sc",
        "Sk",
        "So",
        "Cn",
    ];

    private static readonly string[] CategoryLongNames =
    [
        "Uppercase_Letter",
        "Lowercase_Letter",
        "Titlecase_Letter",
        "Modifier_Letter",
        "Other_Letter",
        "Nonspacing_Mark",
        "Spacing_Mark",
        "Enclosing_Mark",
        "Decimal_Number",
        "Letter_Number",
        "Other_Number",
        "Space_Separator",
        "Line_Separator",
        "Paragraph_Separator",
        "Control",
        "Format",
        "Surrogate",
        "Private_Use",
        "Connector_Punctuation",
        "Dash_Punctuation",
        "Open_Punctuation",
        "Close_Punctuation",
        "Initial_Punctuation",
        "Final_Punctuation",
        "Other_Punctuation",
        "Math_Symbol",
        "Currency_Symbol",
        "Modifier_Symbol",
        "Other_Symbol",
        "Unassigned",
    ];

    private static readonly (string Name, string Letter)[] MajorCategories =
    [
        ("Letter", "L"),
        ("Mark", "M"),
        ("Number", "N"),
        ("Separator", "Z"),
        ("Other", "C"),
        ("Punctuation", "P"),
        ("Punct", "P"),
        ("Symbol", "S"),
    ];

    private static readonly Lazy<RuneRanges[]> Categories = new(CategoryRanges);
    private static readonly Lazy<Dictionary<string, RuneRanges>> Named = new(NamedRanges);

    public static RuneRanges Mark => Find("M")!;

    public static RuneRanges Number => Find("N")!;

    public static RuneRanges Punctuation => Find("P")!;

    public static RuneRanges DecimalNumber => Find("Nd")!;

    /// <summary>Property White_Space.</summary>
    public static RuneRanges WhiteSpace => Find("White_Space")!;

    /// <summary>What Rust's regular expressions call a word character: alphabetic, mark, decimal digit, connector, join control.</summary>
    public static RuneRanges RustWord => Find("#Rust_Word")!;

    /// <summary>What Oniguruma calls a word character in a class: the same without the join controls.</summary>
    public static RuneRanges Word => Find("Word")!;

    /// <summary>What it calls one outside of classes and at word boundaries: with the superscripts and fractions of Latin-1.</summary>
    public static RuneRanges LoneWord => Find("#Lone_Word")!;

    /// <summary>The set with the given name, or null for a name that is none.</summary>
    public static RuneRanges? Find(string name) => Named.Value.GetValueOrDefault(Simplified(name));

    private static string Simplified(string name) => string.Concat(name.Where(unit => unit is not (' ' or '_' or '-'))).ToLowerInvariant();

    private static RuneRanges[] CategoryRanges()
    {
        var ranges = new List<(int, int)>[CategoryNames.Length];
        for (var category = 0; category < ranges.Length; category++)
            ranges[category] = [];
        var (first, current) = (0, CharUnicodeInfo.GetUnicodeCategory(0));
        for (var value = 1; value <= 0x110000; value++)
        {
            if (value < 0x110000 && CharUnicodeInfo.GetUnicodeCategory(value) == current)
                continue;
            ranges[(int)current].Add((first, value - 1));
            if (value < 0x110000)
                (first, current) = (value, CharUnicodeInfo.GetUnicodeCategory(value));
        }
        return [.. ranges.Select(RuneRanges.OfAscending)];
    }

    private static Dictionary<string, RuneRanges> NamedRanges()
    {
        var named = new Dictionary<string, RuneRanges>(StringComparer.Ordinal);
        var categories = Categories.Value;
        for (var category = 0; category < categories.Length; category++)
        {
            named[Simplified(CategoryNames[category])] = named[Simplified(CategoryLongNames[category])] = categories[category];
            var major = CategoryNames[category][..1].ToLowerInvariant();
            named[major] = named.GetValueOrDefault(major, RuneRanges.None).Union(categories[category]);
        }
        foreach (var (name, letter) in MajorCategories)
            named[Simplified(name)] = named[letter.ToLowerInvariant()];
        foreach (var (name, values) in UnicodeTable.Sets())
            named[Simplified(name)] = values;

        RuneRanges Get(string name) => named[Simplified(name)];
        var whiteSpace = Ascii("\t\n\v\f\r").Union(RuneRanges.Of(0x85)).Union(Get("Z"));
        var unseen = whiteSpace.Union(Get("Cc")).Union(Get("Cn")).Union(Get("Cs"));
        var word = Get("Alphabetic").Union(Get("M")).Union(Get("Nd")).Union(Get("Pc"));
        Add("White_Space", whiteSpace);
        Add("Space", whiteSpace);
        Add("#Rust_Word", word.Union(RuneRanges.Of(0x200C, 0x200D)));
        Add("Word", word);
        Add("#Lone_Word", word.Union(RuneRanges.Of(0xB2, 0xB3)).Union(RuneRanges.Of(0xB9)).Union(RuneRanges.Of(0xBC, 0xBE)));
        Add("LC", Get("Lu").Union(Get("Ll")).Union(Get("Lt")));
        Add("Any", RuneRanges.All);
        Add("Assigned", Get("Cn").Complement());
        Add("ASCII", RuneRanges.Of(0, 127));
        Add("Alpha", Get("Alphabetic"));
        Add("Alnum", Get("Alphabetic").Union(Get("Nd")));
        Add("Blank", Ascii("\t").Union(Get("Zs")));
        Add("Cntrl", Get("Cc"));
        Add("Digit", Get("Nd"));
        Add("Graph", unseen.Complement());
        Add("Lower", Get("Lowercase"));
        Add("Print", unseen.Complement().Union(Get("Zs")));
        Add("Upper", Get("Uppercase"));
        Add("XDigit", RuneRanges.Of('0', '9').Union(RuneRanges.Of('A', 'F')).Union(RuneRanges.Of('a', 'f')));
        return named;

        void Add(string name, RuneRanges values) => named[Simplified(name)] = values;
    }

    private static RuneRanges Ascii(string members) => members.Aggregate(RuneRanges.None, (set, unit) => set.Union(RuneRanges.Of(unit)));
}
