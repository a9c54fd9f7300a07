using System.Text;
using CsCheck;

namespace Engram.Tests.Tokenization;

/// <summary>Texts that hurt.</summary>
internal static class TextGen
{
    /// <summary>
    /// Every class the patterns tell apart, both sides of every range border, and characters easily mistaken for white space, digits or
    /// letters.
    /// </summary>
    private static readonly string[] Alphabet =
    [
        "a",
        "Z",
        "s",
        "t",
        "re",
        "ll",
        "é",
        "ß",
        "İ",
        "Ω",
        "я",
        "ע",
        "ไ",
        "한",
        "ǅ",
        "ʰ",
        "ª",
        "𝔸",
        "𠮷",
        "𐐀",
        "0",
        "1",
        "9",
        "１",
        "٣",
        "½",
        "②",
        "Ⅷ",
        "𝟙",
        "𐄇",
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\v",
        "\f",
        "\u0085",
        "\u00A0",
        "\u1680",
        "\u2003",
        "\u2028",
        "\u2029",
        "\u202F",
        "\u205F",
        "\u3000",
        "\u200B",
        "\u200D",
        "\uFEFF",
        "\u001C",
        "\0",
        "\u0001",
        "\u00AD",
        "\u180E",
        "\u0378",
        "\uE000",
        "\uFFFD",
        "\uFFFE",
        "\U000E0001",
        "\U000F0000",
        "'",
        "\"",
        ".",
        ",",
        "-",
        "_",
        "(",
        "/",
        "$",
        "<",
        "|",
        "~",
        "`",
        "«",
        "—",
        "。",
        "€",
        "☺",
        "😀",
        "🏻",
        "\uFE0F",
        "\u0301",
        "\u094D",
        "\u0903",
        "\u20DD",
        "\U0001D165",
        "四",
        "\u4E00",
        "\u9FA5",
        "\u9FA6",
        "\u3005",
        "\u303F",
        "\u3040",
        "あ",
        "\u3097",
        "\u3099",
        "ー",
        "・",
        "\u30FF",
        "\u3100",
        "ｱ",
    ];

    /// <summary>Strings over the adversarial alphabet; valid UTF-16.</summary>
    public static Gen<string> Adversarial { get; } = Gen.OneOf(Alphabet).Array[0, 24].Select(string.Concat);

    /// <summary>Any Unicode scalar values.</summary>
    public static Gen<string> Runes { get; } =
        Gen.Int[0, 0x10FFFF]
            .Select(value => Rune.IsValid(value) ? new Rune(value) : Rune.ReplacementChar)
            .Array[0, 24]
            .Select(runes => string.Concat(runes));

    /// <summary>Any code units, half surrogate pairs included.</summary>
    public static Gen<string> CodeUnits { get; } =
        Gen.OneOf(Gen.Char, Gen.Char['\uD800', '\uDFFF'], Gen.Char[' ', '~']).Array[0, 24].Select(units => new string(units));

    /// <summary>All of them.</summary>
    public static Gen<string> Any { get; } = Gen.OneOf(Adversarial, Runes, CodeUnits);
}
