using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using Engram.Corpora.Files;

namespace Engram.Corpora;

/// <summary>
/// A corpus on disk: the files it consists of and how documents are read from them.
/// <list type="table">
/// <item><term>.jsonl, .ndjson</term><description>one document per line, the text in the field <see
/// cref="CorpusOptions.TextField"/></description></item>
/// <item><term>.json</term><description>an array of objects or strings, one object, or JSON Lines</description></item>
/// <item><term>.csv, .tsv, .parquet</term><description>one document per row, the text in the column <see
/// cref="CorpusOptions.TextField"/></description></item>
/// <item><term>any other file</term><description>UTF-8 text; the whole file is one document, unless lines that read
/// <c>&lt;|endoftext|&gt;</c> divide it</description></item>
/// <item><term>.gz, .br, .zst behind one of these</term><description>the same, compressed</description></item>
/// <item><term>a folder</term><description>all such files and .txt and .md files at any depth, in ordinal order of their relative paths;
/// hidden files, READMEs and licences are left out, linked folders are not followed</description></item>
/// <item><term><c>dotnet-docs</c></term><description>the XML documentation files of the installed .NET SDK, one document per member; a
/// folder of that name is meant by <c>./dotnet-docs</c></description></item>
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

    private CorpusSource(string spec, CorpusOptions options, (string Path, string Name)[] files, IReadOnlyList<LeftOutFile>? leftOut = null)
    {
        LeftOut = leftOut ?? [];
        Spec = spec;
        _options = options;
        _files = files;
    }

    /// <summary>What was opened, as given.</summary>
    public string Spec { get; }

    /// <summary>The full paths of the files, in reading order.</summary>
    public IEnumerable<string> Files => _files.Select(file => file.Path);

    /// <summary>Files of the folder that are no part of the corpus, in ordinal order.</summary>
    public IReadOnlyList<LeftOutFile> LeftOut { get; }

    /// <summary>Finds the files of a corpus without reading them.</summary>
    /// <param name="spec">A file, a folder, or <c>dotnet-docs</c>.</param>
    /// <param name="options">How documents are read; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">Nothing lies at that path.</exception>
    /// <exception cref="DirectoryNotFoundException">
    /// <c>dotnet-docs</c> was asked for and no .NET SDK with documentation is installed.
    /// </exception>
    /// <exception cref="InvalidDataException">The folder holds no file that can be read.</exception>
    public static CorpusSource Open(string spec, CorpusOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(spec);
        options = (options ?? new CorpusOptions()).Validated();
        if (spec == DotnetDocs)
            return new CorpusSource(spec, options, DotnetDocumentation.FindFiles());
        if (Directory.Exists(spec))
            return OfFolder(spec, options);
        if (File.Exists(spec))
            return new CorpusSource(spec, options, [(Path.GetFullPath(spec), Path.GetFileName(spec))]);
        throw new FileNotFoundException(
            $"There is no corpus at '{spec}': give a file ({DocumentFile.Kinds}), a folder, or the name {DotnetDocs}.",
            spec
        );
    }

    /// <summary>Reads the documents in order. Documents of white space only are left out.</summary>
    /// <param name="skipped">
    /// Told about each line, row or file that is left out under <see cref="CorpusOptions.SkipBad"/>; null tells nobody.
    /// </param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="InvalidDataException">
    /// A file is not UTF-8, is damaged, lacks the text field, or a line or row is malformed; the message names file and line.
    /// </exception>
    /// <exception cref="IOException">A file is a pipe, or cannot be read.</exception>
    public IEnumerable<Document> Read(Action<string>? skipped = null, CancellationToken cancellation = default)
    {
        var documents =
            Spec == DotnetDocs
                ? DotnetDocumentation.Read(_files, cancellation)
                : ReadFiles(new BadInputs(Directory.Exists(Spec) ? Spec : null, _options.SkipBad, skipped), cancellation);
        return documents.Take(_options.MaxDocuments ?? int.MaxValue);
    }

    /// <summary>
    /// SHA-256, in hex, over the names and contents of all files and over the options: equal fingerprints give equal documents.
    /// </summary>
    public string Fingerprint(CancellationToken cancellation = default)
    {
        var kind = Spec == DotnetDocs ? DotnetDocs : "files";
        var text = new StringBuilder(
            $"{kind} {ReaderVersion}\n{_options.TextField}\n{_options.MaxDocuments}\n{(_options.SkipBad ? "skip bad\n" : "")}"
        );
        foreach (var (path, name) in _files)
        {
            cancellation.ThrowIfCancellationRequested();
            using var file = InputFile.Open(path, cancellation);
            text.Append(name).Append('\n').Append(Convert.ToHexStringLower(SHA256.HashData(file))).Append('\n');
        }
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private IEnumerable<Document> ReadFiles(BadInputs bad, CancellationToken cancellation)
    {
        var field = new TextField(_options.TextField, _options.TextFieldRemedy);
        foreach (var (path, name) in _files)
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var document in DocumentFile.Read(path, name, field, bad, cancellation))
            {
                cancellation.ThrowIfCancellationRequested();
                if (!string.IsNullOrWhiteSpace(document.Text))
                    yield return document;
            }
        }
    }

    private static CorpusSource OfFolder(string folder, CorpusOptions options)
    {
        var root = Path.GetFullPath(folder);
        // A folder that cannot be listed is an error rather than a smaller corpus.
        var recursion = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = false };
        var paths = new FileSystemEnumerable<string>(root, (ref FileSystemEntry entry) => entry.ToFullPath(), recursion)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory,
            // A link to a folder above it would recurse for ever.
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        };
        var found = paths
            .Select(path =>
                (
                    Path: path,
                    Name: Path.GetRelativePath(root, path).Replace('\\', '/'),
                    Reason: DocumentFile.ReasonToLeaveOut(Path.GetFileName(path.AsSpan()))
                )
            )
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .ToLookup(file => file.Reason is null);
        var files = found[true].Select(file => (file.Path, file.Name)).ToArray();
        return files.Length > 0
            ? new CorpusSource(folder, options, files, [.. found[false].Select(file => new LeftOutFile(file.Name, file.Reason!))])
            : throw new InvalidDataException($"The folder '{folder}' holds no file that can be read ({DocumentFile.Kinds}).");
    }
}

/// <summary>A file of a corpus folder that is not read.</summary>
/// <param name="Name">Its path within the folder.</param>
/// <param name="Reason">Why.</param>
public sealed record LeftOutFile(string Name, string Reason);
