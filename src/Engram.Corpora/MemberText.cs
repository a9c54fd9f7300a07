using System.Text;
using System.Xml;
using Engram.Corpora.Files;

namespace Engram.Corpora;

/// <summary>
/// Renders one <c>member</c> element of an XML documentation file as plain text:
/// <code>
/// System.Collections.BitArray.And(System.Collections.BitArray)
/// Performs the bitwise AND operation …
/// value: The array with which …
/// Returns: An array …
/// System.ArgumentNullException: value is null.
/// </code>
/// References become the name they point to, paragraphs and list items lines, code keeps its own lines. One instance serves one thread.
/// </summary>
internal sealed class MemberText
{
    private readonly StringBuilder _text = new();

    /// <summary>Reads the element the reader stands on, through its end tag.</summary>
    /// <param name="reader">Positioned on a <c>member</c> start tag.</param>
    /// <param name="member">Its name attribute: a kind letter, a colon, the full name.</param>
    internal Document Read(XmlReader reader, string member)
    {
        _text.Clear();
        _text.Append(member, 2, member.Length - 2).Append('\n');
        var title = _text.Length;
        if (!reader.IsEmptyElement)
            Content(reader, insideCode: false);
        var length = _text.Length;
        while (length > title && char.IsWhiteSpace(_text[length - 1]))
            length--;
        return new Document(member, _text.ToString(0, length), title);
    }

    private void Content(XmlReader reader, bool insideCode)
    {
        var depth = reader.Depth;
        while (reader.Read() && reader.Depth > depth)
            if (reader.NodeType == XmlNodeType.Element)
                Element(reader, insideCode);
            else if (
                reader.NodeType is XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.SignificantWhitespace or XmlNodeType.Whitespace
            )
                Append(reader.Value, insideCode);
    }

    private void Element(XmlReader reader, bool insideCode)
    {
        var name = reader.LocalName;
        switch (name)
        {
            case "see" or "seealso" or "inheritdoc" or "paramref" or "typeparamref" or "xref":
                Reference(reader, insideCode);
                break;
            case "param" or "typeparam":
                Labelled($"{reader.GetAttribute("name")}: ", reader, insideCode);
                break;
            case "exception" or "permission":
                Labelled($"{Target(reader)}: ", reader, insideCode);
                break;
            case "returns" or "return":
                Labelled("Returns: ", reader, insideCode);
                break;
            case "value":
                Labelled("Value: ", reader, insideCode);
                break;
            case "code":
                Inner(reader, insideCode: true);
                break;
            case "term" or "description":
                Space();
                Inner(reader, insideCode);
                break;
            case "summary"
            or "remarks"
            or "example"
            or "para"
            or "p"
            or "br"
            or "list"
            or "listheader"
            or "item"
            or "ul"
            or "ol"
            or "li"
            or "div":
                NewLine();
                Inner(reader, insideCode);
                NewLine();
                break;
            default:
                Inner(reader, insideCode);
                break;
        }
    }

    private void Inner(XmlReader reader, bool insideCode)
    {
        if (!reader.IsEmptyElement)
            Content(reader, insideCode);
    }

    /// <summary>Content is what the author wants read; without any, the target is.</summary>
    private void Reference(XmlReader reader, bool insideCode)
    {
        var target = Target(reader);
        var before = _text.Length;
        Inner(reader, insideCode);
        if (!IsBlank(before))
            return;
        _text.Length = before;
        _text.Append(target);
    }

    private static string Target(XmlReader reader) =>
        reader.GetAttribute("cref") is { } target
            ? ShortName(target)
            : reader.GetAttribute("langword")
                ?? reader.GetAttribute("name")
                ?? reader.GetAttribute("uid")
                ?? reader.GetAttribute("href")
                ?? "";

    /// <summary>
    /// What a sentence would call it: the type's own name, and the member's behind it ("T:System.Text.Rune" Rune,
    /// "M:System.Text.Rune.Parse(System.String)" Rune.Parse).
    /// </summary>
    private static string ShortName(string target)
    {
        if (target.Length < 2 || target[1] != ':')
            return target;
        var end = target.IndexOf('(') is var parameters and > 0 ? parameters : target.Length;
        var names = target[0] is 'T' or 'N' ? 1 : 2;
        var start = end;
        // Type arguments in braces have dots of their own.
        for (var braces = 0; start > 2; start--)
        {
            var unit = target[start - 1];
            braces +=
                unit == '}' ? 1
                : unit == '{' ? -1
                : 0;
            if (unit == '.' && braces == 0 && --names == 0)
                break;
        }
        return target[start..end];
    }

    /// <summary>A line of its own, left out when nothing follows the label.</summary>
    private void Labelled(string label, XmlReader reader, bool insideCode)
    {
        NewLine();
        var before = _text.Length;
        _text.Append(label);
        Inner(reader, insideCode);
        if (IsBlank(before + label.Length))
            _text.Length = before;
        else
            NewLine();
    }

    private bool IsBlank(int from)
    {
        for (var i = _text.Length - 1; i >= from; i--)
            if (!char.IsWhiteSpace(_text[i]))
                return false;
        return true;
    }

    private void NewLine()
    {
        while (_text.Length > 0 && _text[^1] == ' ')
            _text.Length--;
        if (_text.Length > 0 && _text[^1] != '\n')
            _text.Append('\n');
    }

    private void Space()
    {
        if (_text.Length > 0 && _text[^1] is not (' ' or '\n'))
            _text.Append(' ');
    }

    private void Append(string text, bool insideCode)
    {
        if (insideCode)
        {
            _text.Append(text);
            return;
        }
        foreach (var unit in text)
            if (char.IsWhiteSpace(unit))
                Space();
            else
                _text.Append(unit);
    }
}
