using System.Text.Json.Nodes;
using Engram.Evaluation.Text;
using Fluid;
using Fluid.Ast;
using Fluid.Values;

namespace Engram.Evaluation.Harness;

/// <summary>
/// A Liquid template over the columns of a row (Fluid). What is not there, a column, a member, an item or a filter, is an error and not an
/// empty text; names are case-sensitive.
/// </summary>
internal sealed class Template
{
    private const int MostNames = 12;

    private static readonly FluidParser Parser = new();
    private static readonly TemplateOptions Options = MakeOptions();

    private readonly IFluidTemplate _template;
    private readonly string _text;
    private readonly string _origin;
    private readonly string _remedy;

    /// <summary>Reads a template.</summary>
    /// <param name="text">The template.</param>
    /// <param name="source">The task or its file, for messages.</param>
    /// <param name="key">The key of the task file where it stands, for messages.</param>
    /// <param name="builtIn">Whether the task comes with the program, so that rather the data are at fault.</param>
    /// <exception cref="InvalidDataException">It is no template, or asks for what templates may not.</exception>
    public Template(string text, string source, string key, bool builtIn = false)
    {
        (_text, _origin) = (text, $"{source}, {key}");
        _remedy = builtIn ? "Check the data set's version." : "Mend the template or the row.";
        if (!Parser.TryParse(text, out var parsed, out var error))
            throw new InvalidDataException($"{source}: {key}: template \"{Shown}\": {error.ReplaceLineEndings(" ")}");
        var forbidden = new Forbidden();
        forbidden.VisitTemplate(parsed);
        if (forbidden.Found is { } found)
            throw new InvalidDataException($"{source}: {key}: template \"{Shown}\": {found}");
        _template = new StrictMembers().VisitTemplate(parsed);
    }

    private string Shown => (_text.Length <= 80 ? _text : _text[..80] + "…").ReplaceLineEndings(" ");

    /// <summary>The text of a row.</summary>
    /// <param name="columns">Its columns.</param>
    /// <param name="place">File and row, for messages.</param>
    /// <param name="more">Further values, such as choice and letter.</param>
    /// <exception cref="InvalidDataException">Something that the template asks for is not there; the message says what is.</exception>
    public string Render(JsonObject columns, string place, params ReadOnlySpan<(string Name, string Value)> more)
    {
        var context = new TemplateContext(Options, StringComparer.Ordinal);
        try
        {
            // A column that is null is as good as absent: an empty question is none.
            foreach (var (name, value) in columns)
                if (value is not null)
                    context.SetValue(name, ValueOf(value));
            foreach (var (name, value) in more)
                context.SetValue(name, new StringValue(value));
            return _template.Render(context);
        }
        catch (MissingValueException missing)
        {
            string[] known = [.. columns.Select(column => column.Key), .. more.ToArray().Select(one => one.Name)];
            var reason =
                missing.Reason
                ?? $"which is absent or null; the row has {string.Join(", ", known.Take(MostNames).Select(name => $"\"{name}\""))}";
            var near = missing.Reason is null ? NearestNames.Ask(missing.Name, known.Where(name => name != missing.Name)) : "";
            throw new InvalidDataException(
                $"{place}: template \"{Shown}\" ({_origin}) asks for \"{missing.Name}\"{(missing.Reason is null ? ", " : ": ")}{reason}.{near} {_remedy}",
                missing
            );
        }
        catch (Exception error)
            when (error is InvalidOperationException or FormatException or ArgumentException or OverflowException or FluidException)
        {
            throw new InvalidDataException($"{place}: template \"{Shown}\" ({_origin}): {error.Message.ReplaceLineEndings(" ")}", error);
        }
    }

    private static TemplateOptions MakeOptions()
    {
        var options = new TemplateOptions { MaxSteps = 100_000, StrictFilters = true };
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

    /// <summary>
    /// Looks for filters that there are not, for other files, and for what a template could grow by: ranges of any length, and variables
    /// that are appended to themselves.
    /// </summary>
    private sealed class Forbidden : AstVisitor
    {
        public string? Found { get; private set; }

        protected override Expression VisitFilterExpression(FilterExpression filterExpression)
        {
            if (!Options.Filters.TryGetValue(filterExpression.Name, out _))
                Found =
                    $"there is no filter \"{filterExpression.Name}\"."
                    + NearestNames.Ask(filterExpression.Name, Options.Filters.Select(filter => filter.Key))
                    + " Filters are those of Liquid, and letter (0 is A).";
            return base.VisitFilterExpression(filterExpression);
        }

        protected override Expression VisitRangeExpression(RangeExpression rangeExpression)
        {
            Grows("a range");
            return rangeExpression;
        }

        protected override Statement VisitAssignStatement(AssignStatement assignStatement)
        {
            Grows("assign");
            return assignStatement;
        }

        protected override Statement VisitCaptureStatement(CaptureStatement captureStatement)
        {
            Grows("capture");
            return captureStatement;
        }

        protected override Statement VisitIncludeStatement(IncludeStatement includeStatement)
        {
            Found = "include reads another file; a template stands for itself.";
            return includeStatement;
        }

        protected override Statement VisitRenderStatement(RenderStatement renderStatement)
        {
            Found = "render reads another file; a template stands for itself.";
            return renderStatement;
        }

        private void Grows(string what) => Found = $"{what} can make texts without end; use the columns of the row alone.";
    }
}
