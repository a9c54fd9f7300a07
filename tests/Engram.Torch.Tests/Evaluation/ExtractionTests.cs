using Engram.Evaluation.Extraction;
using Engram.Evaluation.Text;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>Answers found in what a model wrote, by cases worked by hand from the rules that each filter names.</summary>
public class ExtractionTests
{
    [Theory]
    [InlineData("gsm8k_strict", "He has 5.\n#### 1,234.", "1,234.")]
    [InlineData("gsm8k_strict", "The answer is 5", "[invalid]")]
    [InlineData("gsm8k_cot_strict", "5 + 6 = 11. The answer is 11.", "11")]
    [InlineData("gsm8k_cot_strict", "The answer is $11.", "[invalid]")]
    [InlineData("gsm8k_cot_strict", "The answer is 18", "1")] // the expression wants a character behind the number
    [InlineData("gsm8k_cot_strict", "so 11.", "[invalid]")]
    [InlineData("gsm8k_cot_strict", "The answer is -3. Q: The answer is 7.", "-3.")]
    [InlineData("number_flexible", "5 + 6 = 11 apples, so she pays $1,250. Done", "$1,250.")]
    [InlineData("number_flexible", "x is 7", "7")]
    [InlineData("number_flexible", "none", "[invalid]")]
    [InlineData("mgsm_phrase", "5 + 6 = 11. Die Antwort ist 11.", "11.")]
    [InlineData("mgsm_phrase", "5 + 6 = 11. Die Antwort lautet 11.", "11.")]
    [InlineData("mgsm_phrase", "5+6=11。答えは11です。", "11")]
    [InlineData("mgsm_phrase", "5 + 6 = 11। উত্তর হল 11।", "11")]
    [InlineData("mgsm_phrase", "Ответ — 2,125.", "2,125.")]
    [InlineData("mgsm_phrase", "答案是 11。", "11")]
    [InlineData("mgsm_phrase", "సమాధానం 11.", "11.")]
    [InlineData("bbh", "A. B. So the answer is (B).", "(B)")]
    [InlineData("bbh", "So the answer is dearth, wind, & fire.\n\nQ: the answer is no", "dearth, wind, & fire")]
    [InlineData("bbh", "So the answer is ] ]", "] ]")]
    [InlineData("bbh", "So the answer is .", "[invalid]")]
    [InlineData("bbh", "nothing", "[invalid]")]
    [InlineData("mmlu_pro", "think. The answer is (J).", "J")]
    [InlineData("mmlu_pro", "The answer is C", "C")]
    [InlineData("mmlu_pro", "The answer is (K).", "[invalid]")]
    [InlineData("choice_letter", "答案是：B。因为A不对", "B")]
    [InlineData("choice_letter", "故选C。", "C")]
    [InlineData("choice_letter", " (D) because A is wrong", "D")]
    [InlineData("choice_letter", "A", "A")]
    [InlineData("choice_letter", "I don't know", "[invalid]")]
    [InlineData("choice_letters", "答案：A、C", "AC")]
    [InlineData("choice_letters", "CA", "AC")]
    [InlineData("drop", " 4.5 yards.\nMore", "4.5 yards")]
    [InlineData("drop", "Tom", "Tom")]
    [InlineData("trivia_stop", " Sunset Boulevard, a film.", "Sunset Boulevard")]
    [InlineData("first_line", "\n Paris \nQ: next", "Paris")]
    [InlineData("final_period", "x. ", "x")]
    [InlineData("cruxeval_output", "assert f([1]) == {'a': 1}\n[/ANSWER] rest", "{'a': 1}")]
    // an operator inside the value cannot be told from the one before it, as in the original
    [InlineData("cruxeval_output", " 'a==b'[/ANSWER]", "b'")]
    [InlineData("cruxeval_output", "[ANSWER]17[/ANSWER]", "17")]
    [InlineData("cruxeval_input", "assert f([1, 2]) == 3[/ANSWER]", "f([1, 2])")]
    [InlineData("cruxeval_input", "[1], 'x'", "f([1], 'x')")]
    [InlineData("code_block", "[BEGIN]\ndef f(): pass\n[DONE] more", "\ndef f(): pass\n")]
    [InlineData("code_block", "Here:\n```python\nx = 1\n```\nDone", "x = 1\n")]
    [InlineData("code_block", "x = 1", "x = 1")]
    [InlineData("math_minerva", "so.\nFinal Answer: The final answer is $\\frac{1}{2}$. I hope it is correct.", "$\\frac{1}{2}$")]
    [InlineData("math_minerva", "Final Answer: The final answer is $4$. ", "$4$")] // the closing phrase as a stop string
    [InlineData("math_minerva", "4", "[invalidanswer]")]
    [InlineData("math_boxed", "\\boxed{1} or \\boxed{-\\frac{1}{8}}.", "-\\frac{1}{8}")]
    [InlineData("math_boxed", "\\boxed{1", "[invalidanswer]")]
    [InlineData("cloze", "Hence x = $\\frac12$.", "\\frac12")]
    [InlineData("cloze", "所以答案是 $y=2$ 。", "2")]
    [InlineData("cloze", "thus \\boxed{(3,4]}", "(3,4]")]
    [InlineData("cloze", "The answer is therefore 7.\nProblem", "7")]
    [InlineData("cloze", "$a$ and $b$", "b")]
    public void Filters_find(string filter, string text, string expected) => Assert.Equal(expected, ExtractionFilter.Find(filter)(text));

    /// <summary>
    /// lm-evaluation-harness, <c>lm_eval/filters/extraction.py</c>, and <c>tests/test_filter_extraction</c>'s rule that white space alone
    /// is no answer.
    /// </summary>
    [Fact]
    public void Regular_expressions_select_a_match_and_its_first_group()
    {
        Assert.Equal("1", ExtractionFilter.Match("([0-9])")("1 2 3"));
        Assert.Equal("3", ExtractionFilter.Match("[0-9]", -1)("1 2 3"));
        Assert.Equal("b", ExtractionFilter.Match("(a)|(b)", -1)("a b"));
        Assert.Equal("none", ExtractionFilter.Match("x", 0, "none")("a"));
        Assert.Equal("[invalid]", ExtractionFilter.Match("(?<=is )(.*)(?=.)")("is   ."));
        Assert.Equal("[invalid]", ExtractionFilter.Match("[0-9]", 3)("1 2 3"));
        Assert.Throws<InvalidDataException>(() => ExtractionFilter.Match("["));
        Assert.Contains(
            "bbh",
            Assert.Throws<InvalidDataException>(() => ExtractionFilter.Find("nothing")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Numbers_are_cleaned_before_they_are_compared() =>
        Assert.Equal(["1250", "-3", "4.5"], ((string[])["$1,250.", " -3", "4.5"]).Select(NumberAnswers.Clean));

    [Theory]
    [InlineData("\\frac{9}{7}", "\\dfrac{9}{7}", true)]
    [InlineData("\\frac12", "\\frac{1}{2}", true)]
    [InlineData("0.5", "\\frac{1}{2}", true)]
    [InlineData("1/2", "0.50", true)]
    [InlineData("1,000", "1000", true)]
    [InlineData("x = 4", "4", true)]
    [InlineData("$4$", "4", true)]
    [InlineData("4 \\text{ inches}", "4", true)]
    [InlineData("10\\%", "10", true)]
    [InlineData("\\sqrt2", "\\sqrt{2}", true)]
    [InlineData("90^\\circ", "90", true)]
    [InlineData("-\\frac{1}{8}", "-0.125", true)]
    [InlineData("\\left(3, 4\\right)", "(3,4)", true)]
    [InlineData("\\frac{1}{3}", "0.333", false)]
    [InlineData("4", "5", false)]
    [InlineData("1/0", "0", false)]
    [InlineData("i", "1", false)]
    public void Mathematics_is_compared_by_three_rules(string prediction, string gold, bool expected) =>
        Assert.Equal(expected, MathText.AreEqual(prediction, gold));

    [Theory]
    [InlineData("\\text{June 20}", "June20")] // spaces are dropped before commands
    [InlineData("12,345", "12345")]
    [InlineData("\\boxed{3}", "3")]
    [InlineData("5 \\text{ meters}", "5")] // the unit's word is dropped, then its empty command
    public void Minerva_normalises(string answer, string expected) => Assert.Equal(expected, MathText.Minerva(answer));

    [Theory]
    [InlineData("12", "12.0")]
    [InlineData("1e16", "1e+16")]
    [InlineData("123456789012345680", "1.2345678901234568e+17")]
    [InlineData("0.0001", "0.0001")]
    [InlineData("0.00001234", "1.234e-05")]
    [InlineData("-2.50", "-2.5")]
    [InlineData("1_000", "1000.0")]
    [InlineData("Infinity", "inf")]
    [InlineData(" 7 ", "7.0")]
    [InlineData("-0", "-0.0")]
    public void Numbers_are_written_as_Python_writes_them(string text, string expected)
    {
        Assert.True(PythonFloat.TryParse(text, out var value));
        Assert.Equal(expected, PythonFloat.Format(value));
    }

    [Fact]
    public void What_Python_does_not_read_as_a_number_is_none()
    {
        foreach (var text in (string[])["", "1,000", "12a", "_1", "1__0", "--1", "0x10", "one"])
            Assert.False(PythonFloat.TryParse(text, out _), text);
    }

    [Theory]
    [InlineData("[1, 'a', (2,), {'k': None}]", "[1, \"a\", (2, ), {\"k\" : None}]", true)]
    [InlineData("{1, 2}", "{2, 1}", true)]
    [InlineData("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1.0}", true)]
    [InlineData("True", "1", true)]
    [InlineData("(3)", "3", true)]
    [InlineData("[3]", "(3,)", false)]
    [InlineData("'1'", "1", false)]
    [InlineData("'a\\n\\x41\\u00e9'", "\"\"\"a\nAé\"\"\"", true)]
    [InlineData("'a' 'b'", "'ab'", true)]
    [InlineData("set()", "{}", false)]
    [InlineData("b'x'", "'x'", false)]
    [InlineData("-1e3", "-1000", true)]
    public void Python_values_are_compared_as_Python_does(string one, string other, bool expected)
    {
        Assert.True(PythonLiteral.TryParse(one, out var a), one);
        Assert.True(PythonLiteral.TryParse(other, out var b), other);
        Assert.Equal(expected, PythonLiteral.AreEqual(a, b));
    }

    [Fact]
    public void What_is_no_Python_value_is_none()
    {
        foreach (var text in (string[])["", "[1", "f(1)", "[1 2]", "'a", "1 2", "{1: 2, 3}", "__import__('os')", new string('[', 100_000)])
            Assert.False(PythonLiteral.TryParse(text, out _), text[..Math.Min(20, text.Length)]);
        Assert.Equal(["0", "a, b", "it's"], PythonLiteral.Strings("[0, 'a, b', \"it's\"]")!);
    }
}
