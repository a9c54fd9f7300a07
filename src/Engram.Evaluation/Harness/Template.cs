using System.Text.Json.Nodes;
using Fluid;
using Fluid.Ast;
using Fluid.Values;

namespace Engram.Evaluation.Harness;

/// <summary>A Liquid template over the columns of a row (Fluid). A column that is not there is an error, not an empty text.</summary>
internal sealed class Template
{
    private static readonly FluidParser Parser = new();
    private static readonly TemplateOptions Options = MakeOptions();

    private readonly IFluidTemplate _template;
    private readonly string _text;

    public Template(string text, string source)
    {
        _text = text;
        if (!Parser.TryParse(text, out _template, out var error))
            throw new InvalidDataException($"{source}: template \"{Shown}\": {error.ReplaceLineEndings(" ")}");
        var growth = new Growth();
        growth.VisitTemplate(_template);
        if (growth.Found is { } found)
            throw new InvalidDataException(
                $"{source}: template \"{Shown}\": {found} can make texts without end; use the columns of the row alone."
            );
    }

    private string Shown => (_text.Length <= 80 ? _text : _text[..80] + "…").ReplaceLineEndings(" ");

    /// <summary>The text of a row.</summary>
    /// <param name="columns">Its columns.</param>
    /// <param name="place">File and row, for messages.</param>
    /// <param name="more">Further values, such as choice and letter.</param>
    public string Render(JsonObject columns, string place, params ReadOnlySpan<(string Name, string Value)> more)
    {
        var context = new TemplateContext(Options);
        string? missing = null;
        context.Undefined = name =>
        {
            missing ??= name;
            return ValueTask.FromResult<FluidValue>(NilValue.Instance);
        };
        string text;
        try
        {
            // A column that is null is as good as absent: an empty question is none.
            foreach (var (name, value) in columns)
                if (value is not null)
                    context.SetValue(name, ValueOf(value));
            foreach (var (name, value) in more)
                context.SetValue(name, new StringValue(value));
            text = _template.Render(context);
        }
        catch (Exception error) when (error is InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"{place}: template \"{Shown}\": {error.Message.ReplaceLineEndings(" ")}", error);
        }

        return missing is null
            ? text
            : throw new InvalidDataException(
                $"{place}: template \"{Shown}\" asks for \"{missing}\", which is absent or null; the row has {string.Join(", ", columns.Take(12).Select(known => $"\"{known.Key}\""))}. "
                    + "Check the data set's version, or the task file."
            );
    }

    private static TemplateOptions MakeOptions()
    {
        var options = new TemplateOptions { MaxSteps = 100_000 };
        // Python's names for what task files need.
        options.Filters.AddFilter("letter", (input, _, _) => new StringValue(((char)('A' + (int)input.ToNumberValue())).ToString()));
        return options;
    }

    private static FluidValue ValueOf(JsonNode? node) =>
        node switch
        {
            null => NilValue.Instance,
            JsonObject map => new DictionaryValue(
                new FluidValueDictionaryFluidIndexable(map.ToDictionary(pair => pair.Key, pair => ValueOf(pair.Value)))
            ),
            JsonArray list => new ArrayValue([.. list.Select(ValueOf)]),
            JsonValue value when value.TryGetValue<string>(out var text) => new StringValue(text),
            JsonValue value when value.TryGetValue<bool>(out var flag) => BooleanValue.Create(flag),
            JsonValue value when value.TryGetValue<decimal>(out var number) => NumberValue.Create(number),
            var other => new StringValue(other.ToJsonString()),
        };

    /// <summary>Looks for what a template could grow by: ranges of any length, and variables that are appended to themselves.</summary>
    private sealed class Growth : AstVisitor
    {
        public string? Found { get; private set; }

        protected override Expression VisitRangeExpression(RangeExpression rangeExpression)
        {
            Found = "a range";
            return rangeExpression;
        }

        protected override Statement VisitAssignStatement(AssignStatement assignStatement)
        {
            Found = "assign";
            return assignStatement;
        }

        protected override Statement VisitCaptureStatement(CaptureStatement captureStatement)
        {
            Found = "capture";
            return captureStatement;
        }
    }
}
