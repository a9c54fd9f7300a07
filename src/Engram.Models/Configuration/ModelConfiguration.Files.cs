using System.Text;
using System.Text.Json.Nodes;
using Engram.Storage;

namespace Engram.Models.Configuration;

public sealed partial record ModelConfiguration
{
    /// <summary>Reads and checks a <c>config.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is no valid configuration; the message names the file, the key and the value.
    /// </exception>
    public static ModelConfiguration Load(string path)
    {
        if (!File.Exists(path))
            throw new FileNotFoundException($"No model configuration at '{path}'.", path);
        using FileStream file = File.OpenRead(path);
        if (file.Length > ConfigurationFile.MostBytes)
            throw new InvalidDataException(
                $"{path}: {file.Length} bytes is too large for a model configuration (at most {ConfigurationFile.MostBytes})."
            );
        byte[] utf8 = new byte[file.Length];
        file.ReadExactly(utf8);
        return ConfigurationFile.Read(utf8, path);
    }

    /// <summary>Reads and checks the text of a <c>config.json</c>.</summary>
    /// <param name="utf8">The JSON text.</param>
    /// <param name="source">Name of the source, for errors.</param>
    /// <exception cref="InvalidDataException">The text is no valid configuration.</exception>
    public static ModelConfiguration Parse(ReadOnlySpan<byte> utf8, string source) => ConfigurationFile.Read(utf8, source);

    /// <summary>
    /// A copy with other values of some keys of <c>config.json</c>, checked as a file is; what follows from other keys is derived anew.
    /// </summary>
    /// <param name="changes">Key and value; a value of null is written as null, and keys that are not named stay as they are.</param>
    /// <exception cref="ArgumentException">A key is unknown, a value of the wrong kind, or the result no valid configuration.</exception>
    public ModelConfiguration With(JsonObject changes) => ConfigurationFile.Change(this, changes);

    /// <summary>Writes the configuration as <c>config.json</c>, whole or not at all.</summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    public void Save(string path) => AtomicFile.WriteAllBytes(path, ConfigurationFile.Write(Validated()));

    /// <summary>The text of <c>config.json</c>.</summary>
    /// <exception cref="ArgumentException">The configuration is not valid.</exception>
    public string ToJson() => Encoding.UTF8.GetString(ConfigurationFile.Write(Validated()));
}
