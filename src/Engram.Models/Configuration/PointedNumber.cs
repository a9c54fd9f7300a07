using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Engram.Models.Configuration;

/// <summary>Writes real numbers with a point or an exponent always, because some readers take 1 for an integer and refuse it.</summary>
internal sealed class PointedNumber : JsonConverter<double>
{
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDouble();

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        writer.WriteRawValue(text.AsSpan().IndexOfAny('.', 'E') >= 0 ? text : text + ".0");
    }
}
