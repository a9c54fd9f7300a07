using Fluid;
using Fluid.Ast;
using Fluid.Values;

namespace Engram.Evaluation.Harness;

/// <summary>A template asks for a value that is not there.</summary>
/// <param name="name">What it asks for, as it stands in the template without spaces: choices[9], q.foo.</param>
/// <param name="reason">Why it is not there, in words; null where a column is absent.</param>
internal sealed class MissingValueException(string name, string? reason) : Exception($"\"{name}\" is not there")
{
    /// <summary>What the template asks for.</summary>
    public string Name { get; } = name;

    /// <summary>Why it is not there; null where a column is absent.</summary>
    public string? Reason { get; } = reason;
}

/// <summary>
/// Makes every access of a template strict: Liquid takes a column, a member or an item that is not there for an empty text, and a mistyped
/// name would change every prompt unseen.
/// </summary>
internal sealed class StrictMembers : AstRewriter
{
    /// <inheritdoc/>
    protected override Expression VisitMemberExpression(MemberExpression memberExpression) => new Strict(memberExpression.Segments);

    private sealed class Strict(IReadOnlyList<MemberSegment> segments) : Expression
    {
        public override async ValueTask<FluidValue> EvaluateAsync(TemplateContext context)
        {
            // The grammar begins every access with a name.
            var path = ((IdentifierSegment)segments[0]).Identifier;
            var value = context.GetValue(path);
            if (IsAbsent(value))
                throw new MissingValueException(path, null);
            foreach (var segment in segments.Skip(1))
            {
                var (inner, next) = (path + Shown(segment), await segment.ResolveAsync(value, context));
                if (IsAbsent(next))
                    throw new MissingValueException(inner, Reason(path, value));
                (path, value) = (inner, next);
            }
            return value;
        }

        private static bool IsAbsent(FluidValue value) => value.Type == FluidValues.Nil;

        private static string Shown(MemberSegment segment) =>
            segment switch
            {
                IdentifierSegment name => $".{name.Identifier}",
                IndexerSegment { Expression: LiteralExpression literal } => literal.Value.Type == FluidValues.String
                    ? $"['{literal.Value.ToStringValue()}']"
                    : $"[{literal.Value.ToStringValue()}]",
                _ => "[…]",
            };

        private static string Reason(string path, FluidValue value) =>
            value switch
            {
                ArrayValue { Values.Count: var count } => $"\"{path}\" is a list of {count}, counted from 0",
                DictionaryValue map => $"\"{path}\" is an object with {string.Join(", ", KeysOf(map).Select(key => $"\"{key}\""))}",
                { Type: FluidValues.String } => $"\"{path}\" is a text",
                { Type: FluidValues.Number } => $"\"{path}\" is a number",
                _ => $"\"{path}\" has none",
            };

        private static IEnumerable<string> KeysOf(DictionaryValue map) => ((IFluidIndexable)map.ToObjectValue()).Keys.Take(12);
    }
}
