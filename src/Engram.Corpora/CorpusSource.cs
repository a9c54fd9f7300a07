using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;

namespace Engram.Corpora;

/// <summary>
/// A corpus on disk: the files it consists of and how documents are read from them.
/// <list type="table">
/// <item><term>a .jsonl file</term><description>one document per line, the text in the field <see cref="CorpusOptions.TextField"/></description></item>
/// <item><term>any other file</term><description>UTF-8 text; the whole file is one document, unless lines that read <c>&lt;|endoftext|&gt;</c> divide it</description></item>
/// <item><term>a folder</term><description>all its .txt, .md and .jsonl files at any depth, in ordinal order of their relative paths; hidden files and linked folders are not followed</description></item>
/// <item><term><c>dotnet-docs</c></term><description>the XML documentation files of the installed .NET SDK, one document per member; a folder of that name is meant by <c>./dotnet-docs</c></description></item>
/// </list>
/// </summary>
public sealed class CorpusSource
{
    /// <summary>The name that stands for the documentation of the installed .NET SDK.</summary>
    public const string DotnetDocs = "dotnet-docs";

    // Part of the fingerprint: a reader that renders text differently makes a different corpus.
    private const int ReaderVersion = 1;

    private readonly CorpusOptions _options;
    private readonly (string Path, string Name)[] _files;

    private CorpusSource(string spec, CorpusOptions options, (string Path, string Name)[] files)
    {
        Spec = spec;
        _options = options;
        _files = files;
    }

    /// <summary>What was opened, as given.</summary>
    public string Spec { get; }

    /// <summary>The full paths of the files, in reading order.</summary>
    public IEnumerable<string> Files => _files.Select(file => file.Path);

    /// <summary>Finds the files of a corpus without reading them.</summary>
    /// <param name="spec">A file, a folder, or <c>dotnet-docs</c>.</param>
    /// <param name="options">How documents are read; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">Nothing lies at that path.</exception>
    /// <exception cref="DirectoryNotFoundException"><c>dotnet-docs</c> was asked for and no .NET SDK with documentation is installed.</exception>
    /// <exception cref="InvalidDataException">The folder holds no file that can be read.</exception>
    public static CorpusSource Open(string spec, CorpusOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(spec);
        options = (options ?? new CorpusOptions()).Validated();
        if (spec == DotnetDocs)
            return new CorpusSource(spec, options, DotnetDocumentation.FindFiles());
        if (Directory.Exists(spec))
            return new CorpusSource(spec, options, FilesOfFolder(spec));
        if (File.Exists(spec))
            return new CorpusSource(spec, options, [(Path.GetFullPath(spec), Path.GetFileName(spec))]);
        throw new FileNotFoundException($"There is no corpus at '{spec}': give a text file, a .jsonl file, a folder, or the name {DotnetDocs}.", spec);
    }

    /// <summary>Reads the documents in order. Documents of white space only are left out.</summary>
    /// <exception cref="InvalidDataException">A file is not UTF-8, a line is not JSON or lacks the text field, or an XML file is malformed; the message names file and line.</exception>
    public IEnumerable<Document> Read(CancellationToken cancellation = default)
    {
        var documents = Spec == DotnetDocs ? DotnetDocumentation.Read(_files, cancellation) : ReadFiles(cancellation);
        return documents.Take(_options.MaxDocuments ?? int.MaxValue);
    }

    /// <summary>SHA-256, in hex, over the names and contents of all files and over the options: equal fingerprints give equal documents.</summary>
    public string Fingerprint(CancellationToken cancellation = default)
    {
        var kind = Spec == DotnetDocs ? DotnetDocs : "files";
        var text = new StringBuilder($"{kind} {ReaderVersion}\n{_options.TextField}\n{_options.MaxDocuments}\n");
        foreach (var (path, name) in _files)
        {
            cancellation.ThrowIfCancellationRequested();
            using var file = File.OpenRead(path);
            text.Append(name).Append('\n').Append(Convert.ToHexStringLower(SHA256.HashData(file))).Append('\n');
        }
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private IEnumerable<Document> ReadFiles(CancellationToken cancellation)
    {
        foreach (var (path, name) in _files)
        {
            cancellation.ThrowIfCancellationRequested();
            var documents = IsJsonLines(path) ? JsonLinesFile.Read(path, name, _options.TextField) : TextFile.Read(path, name);
            foreach (var document in documents)
            {
                cancellation.ThrowIfCancellationRequested();
                if (!string.IsNullOrWhiteSpace(document.Text))
                    yield return document;
            }
        }
    }

    private static (string Path, string Name)[] FilesOfFolder(string folder)
    {
        var root = Path.GetFullPath(folder);
        // A folder that cannot be listed is an error rather than a smaller corpus.
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = false };
        var paths = new FileSystemEnumerable<string>(root, (ref FileSystemEntry entry) => entry.ToFullPath(), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && IsText(entry.FileName),
            // A link to a folder above it would recurse for ever.
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        };
        var files = paths.Select(path => (Path: path, Name: Path.GetRelativePath(root, path).Replace('\\', '/')))
            .OrderBy(file => file.Name, StringComparer.Ordinal).ToArray();
        return files.Length > 0 ? files : throw new InvalidDataException($"The folder '{folder}' holds no .txt, .md or .jsonl file.");
    }

    private static bool IsText(ReadOnlySpan<char> name) =>
        name.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".md", StringComparison.OrdinalIgnoreCase) || IsJsonLines(name);

    private static bool IsJsonLines(ReadOnlySpan<char> name) => name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase);
}
