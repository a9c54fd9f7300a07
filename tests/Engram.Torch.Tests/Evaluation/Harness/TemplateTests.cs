using System.Text.Json.Nodes;
using Engram.Evaluation.Harness;

namespace Engram.Torch.Tests.Evaluation.Harness;

/// <summary>What a template asks for is there, or it is said what is.</summary>
public class TemplateTests
{
    private static readonly JsonObject Row = JsonNode
        .Parse(
            """{ "q": "hello", "n": 3, "none": null, "choices": ["a", "b"], "gold": 0, "one": { "question": "w", "empty": null }, "list": [{ "k": "v" }] }"""
        )!
        .AsObject();

    private static string Render(string text) => new Template(text, "mine.json", "prompt").Render(Row, "rows.jsonl:7", ("letter", "A"));

    [Theory]
    [InlineData(
        "{{ Q }}",
        "asks for \"Q\", which is absent or null; the row has \"q\", \"n\", \"none\", \"choices\", \"gold\", \"one\", \"list\", \"letter\". Did you mean \"q\"?"
    )]
    [InlineData("{{ none }}", "asks for \"none\", which is absent or null")]
    [InlineData("{{ q.foo }}", "asks for \"q.foo\": \"q\" is a text.")]
    [InlineData("{{ q[0] }}", "asks for \"q[0]\": \"q\" is a text.")]
    [InlineData("{{ n.foo }}", "asks for \"n.foo\": \"n\" is a number.")]
    [InlineData("{{ choices[9] }}", "asks for \"choices[9]\": \"choices\" is a list of 2, counted from 0.")]
    [InlineData("{{ one.Question }}", "asks for \"one.Question\": \"one\" is an object with \"question\", \"empty\".")]
    [InlineData("{{ one['x'] }}", "asks for \"one['x']\"")]
    [InlineData("{{ one.empty }}", "asks for \"one.empty\"")]
    [InlineData("{{ list[0].nope }}", "asks for \"list[0].nope\": \"list[0]\" is an object with \"k\".")]
    [InlineData("{% for item in list %}{{ item.nope }}{% endfor %}", "asks for \"item.nope\"")]
    [InlineData("{% for item in lists %}{{ item }}{% endfor %}", "asks for \"lists\"")]
    [InlineData("{% for c in choices %}{{ forloop.foo }}{% endfor %}", "asks for \"forloop.foo\"")]
    [InlineData("{% if q == 'x' or nope %}x{% endif %}", "asks for \"nope\"")]
    [InlineData("{% if q == 'x' %}{% elsif q.y %}{% endif %}", "asks for \"q.y\"")]
    [InlineData("{% unless choices[5] == 'x' %}x{% endunless %}", "asks for \"choices[5]\"")]
    [InlineData("{% case q.z %}{% when 'x' %}{% endcase %}", "asks for \"q.z\"")]
    [InlineData("{{ q | append: nope }}", "asks for \"nope\"")]
    [InlineData("{{ nope | default: 'x' }}", "asks for \"nope\"")]
    public void What_is_not_there_is_an_error(string template, string message)
    {
        var error = Assert.Throws<InvalidDataException>(() => Render(template));
        Assert.StartsWith("rows.jsonl:7: template \"", error.Message, StringComparison.Ordinal);
        Assert.Contains("(mine.json, prompt) ", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("{{ q }}{{ n }}{{ letter }}", "hello3A")]
    [InlineData("{{ choices[0] }}{{ choices[gold] }}{{ choices.last }}{{ choices.size }}{{ q.size }}", "aab25")]
    [InlineData("{{ one.question }}{{ one['question'] }}{{ list[0].k }}", "wwv")]
    [InlineData(
        "{% for c in choices %}{{ forloop.index0 | letter }}. {{ c }}{% unless forloop.last %}, {% endunless %}{% endfor %}",
        "A. a, B. b"
    )]
    [InlineData("{% for item in list %}{{ item.k }}{% else %}none{% endfor %}", "v")]
    [InlineData("{% if q == \"hello\" and n > 2 %}yes{% else %}no{% endif %}", "yes")]
    [InlineData("{% if q == nil %}nil{% elsif q != blank and q != empty %}text{% endif %}", "text")]
    [InlineData("{% case q %}{% when 'hello' %}hi{% else %}{{ nope }}{% endcase %}", "hi")]
    [InlineData(
        "{% if choices contains 'b' %}b{% endif %}{% cycle 'x', 'y' %}{% raw %}{{ q }}{% endraw %}{% comment %}{{ nope }}{% endcomment %}",
        "bx{{ q }}"
    )]
    [InlineData("{{ choices | join: '; ' }}{{ q | upcase | append: choices[1] }}{{ 'text' }}{{ 2 | plus: n }}", "a; bHELLObtext5")]
    [InlineData("  {{- q -}}  !", "hello!")]
    public void What_is_there_is_rendered(string template, string text) => Assert.Equal(text, Render(template));
}
