using Engram.Evaluation.Text;

namespace Engram.Evaluation.Code;

/// <summary>The programs by which benchmarks check generated code. Each passes if it runs to its end.</summary>
public static class PythonPrograms
{
    /// <summary>HumanEval (openai/human-eval, <c>execution.py</c>): prompt and completion, the tests, a call of "check".</summary>
    public static string HumanEval(string prompt, string completion, string test, string entryPoint) =>
        $"{prompt}{completion}\n{test}\ncheck({entryPoint})\n";

    /// <summary>MBPP: set-up, the code, its assertions.</summary>
    public static string Mbpp(string setup, string code, IEnumerable<string> assertions) =>
        $"{setup}\n{code}\n{string.Join('\n', assertions)}\n";

    /// <summary>CRUXEval-I: does the predicted call give the output?</summary>
    public static string CruxEvalInput(string code, string predictedCall, string output) =>
        $"{code}\nassert {output} == {OneLine(predictedCall)}\n";

    /// <summary>CRUXEval-O: does the call give the predicted value?</summary>
    public static string CruxEvalOutput(string code, string input, string predictedValue) =>
        $"{code}\nassert f({input}) == ({OneLine(predictedValue)})\n";

    /// <summary>CRUXEval-O without running anything: the two values as Python literals; null if one of them is none.</summary>
    public static bool? CruxEvalOutputStatic(string output, string predictedValue) =>
        PythonLiteral.TryParse(output, out var expected) && PythonLiteral.TryParse(predictedValue, out var predicted)
            ? PythonLiteral.AreEqual(expected, predicted)
            : null;

    /// <summary>An answer is an expression: a line break would begin a statement.</summary>
    private static string OneLine(string expression) => expression.ReplaceLineEndings(" ");
}
