using System.Text;
using Engram.Evaluation.Text;

namespace Engram.Evaluation.Code;

/// <summary>The programs by which benchmarks check generated code. Each passes if it runs to its end.</summary>
public static class PythonPrograms
{
    /// <summary>What task files call these programs.</summary>
    public static IReadOnlyList<string> Names { get; } = ["humaneval", "mbpp", "cruxeval_input", "cruxeval_output"];

    /// <summary>HumanEval (openai/human-eval, <c>execution.py</c>): prompt and completion, the tests, a call of "check".</summary>
    public static string HumanEval(string prompt, string completion, string test, string entryPoint) =>
        $"{prompt}{completion}\n{test}\ncheck({entryPoint})\n";

    /// <summary>MBPP: the code, the set-up of its tests, which may use it, and the assertions.</summary>
    public static string Mbpp(string setup, string code, IEnumerable<string> assertions) =>
        $"{code}\n{setup}\n{string.Join('\n', assertions)}\n";

    /// <summary>
    /// CRUXEval-I (facebookresearch/cruxeval, <c>evaluation/utils_general.py</c>): does the predicted call give the output? What is not one
    /// call of f is wrong.
    /// </summary>
    public static string CruxEvalInput(string code, string predictedCall, string output) =>
        $"{Answer(predictedCall)}assert calls(answer), 'the answer is no call of f'\n{Compare(code, output, predictedCall)}";

    /// <summary>
    /// CRUXEval-O (the same place): is the predicted value the output? What calls f is wrong: it repeats the question.
    /// </summary>
    public static string CruxEvalOutput(string code, string output, string predictedValue) =>
        $"{Answer(predictedValue)}assert not any(map(calls, ast.walk(answer))), 'the answer calls f'\n{Compare(code, output, predictedValue)}";

    /// <summary>CRUXEval-O without running anything: the two values as Python literals; null if one of them is none.</summary>
    public static bool? CruxEvalOutputStatic(string output, string predictedValue) =>
        PythonLiteral.TryParse(output, out var expected) && PythonLiteral.TryParse(predictedValue, out var predicted)
            ? PythonLiteral.AreEqual(expected, predicted)
            : null;

    /// <summary>The syntax of an answer, which must be an expression.</summary>
    private static string Answer(string expression)
    {
        var text = Convert.ToHexString(Encoding.UTF8.GetBytes(OneLine(expression).Trim()));
        return $"""
            import ast
            answer = ast.parse(bytes.fromhex("{text}").decode(), mode="eval").body
            def calls(node):
                return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "f"

            """;
    }

    private static string Compare(string code, string output, string expression) =>
        $"del answer, ast, calls\n{code}\nassert {output} == ({OneLine(expression)}\n)\n";

    /// <summary>An answer is an expression: a line break would begin a statement.</summary>
    private static string OneLine(string expression) => expression.ReplaceLineEndings(" ");
}
