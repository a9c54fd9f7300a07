namespace Engram.Evaluation.Extraction;

/// <summary>Programs, calls and values in what a model wrote.</summary>
public static class CodeAnswers
{
    /// <summary>The program: inside [BEGIN] and [DONE] or a fenced block if such stand there, else the whole text.</summary>
    public static string Block(string text)
    {
        if (text.IndexOf("[BEGIN]", StringComparison.Ordinal) is var begin and >= 0)
            text = text[(begin + "[BEGIN]".Length)..];
        if (text.IndexOf("[DONE]", StringComparison.Ordinal) is var done and >= 0)
            text = text[..done];
        var fence = text.IndexOf("```", StringComparison.Ordinal);
        if (fence < 0 || text.IndexOf('\n', fence) is not (>= 0 and var line))
            return text;
        var close = text.IndexOf("\n```", line, StringComparison.Ordinal);
        return close < 0 ? text[(line + 1)..] : text[(line + 1)..(close + 1)];
    }

    /// <summary>
    /// CRUXEval-I: the call that should give the known output, as an expression "f(…)" (facebookresearch/cruxeval, <c>evaluation</c>).
    /// </summary>
    public static string CruxEvalInput(string text)
    {
        var call = BeforeEnd(text);
        if (call.IndexOf("==", StringComparison.Ordinal) is var equals and >= 0)
            call = call[..equals];
        call = WithoutAssert(call);
        return call.StartsWith("f(", StringComparison.Ordinal) && call.EndsWith(')') ? call : $"f({call})";
    }

    /// <summary>CRUXEval-O: the value of the call, as an expression.</summary>
    public static string CruxEvalOutput(string text)
    {
        var value = BeforeEnd(text);
        if (value.LastIndexOf("==", StringComparison.Ordinal) is var equals and >= 0)
            value = value[(equals + 2)..];
        return WithoutAssert(value);
    }

    private static string BeforeEnd(string text)
    {
        if (text.LastIndexOf("[ANSWER]", StringComparison.Ordinal) is var begin and >= 0)
            text = text[(begin + "[ANSWER]".Length)..];
        return (text.IndexOf("[/ANSWER]", StringComparison.Ordinal) is var end and >= 0 ? text[..end] : text).Trim();
    }

    private static string WithoutAssert(string text)
    {
        text = text.Trim();
        return text.StartsWith("assert ", StringComparison.Ordinal) ? text["assert ".Length..].Trim() : text;
    }
}
