using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Xml;
using Engram.Corpora.Files;

namespace Engram.Corpora;

/// <summary>
/// The XML documentation in the reference packs of the installed .NET SDK: English text of the same kind on every machine that builds .NET
/// programs.
/// Only the two packs that every SDK carries are read, so that workloads do not change the corpus, and only the newest version of each.
/// A file that both packs hold is read once. Translations lie in subfolders of the folder that is read and are not entered.
/// </summary>
internal static class DotnetDocumentation
{
    private static readonly string[] Packs = ["Microsoft.AspNetCore.App.Ref", "Microsoft.NETCore.App.Ref"];

    // Shorter ones say nothing ("Default.", "For testing.").
    private const int MinimumCharacters = 20;

    /// <summary>The files of the newest packs, in ordinal order of their names (pack/version/file).</summary>
    /// <exception cref="DirectoryNotFoundException">No pack is installed.</exception>
    internal static (string Path, string Name)[] FindFiles() => FindFiles(Roots());

    internal static (string Path, string Name)[] FindFiles(IReadOnlyList<string> roots)
    {
        foreach (var root in roots)
        {
            var files = Packs
                .SelectMany(pack => FilesOfPack(Path.Combine(root, "packs", pack), pack))
                .DistinctBy(file => Path.GetFileName(file.Path))
                .OrderBy(file => file.Name, StringComparer.Ordinal)
                .ToArray();
            if (files.Length > 0)
                return files;
        }
        throw new DirectoryNotFoundException(
            $"The corpus {CorpusSource.DotnetDocs} needs the documentation that comes with the .NET SDK: no "
                + $"packs/{Packs[1]}/*/ref/net*/*.xml under "
                + $"{string.Join(" or ", roots)}. Install the SDK (not only the runtime), set DOTNET_ROOT to its folder, or give a folder "
                + "of text files instead."
        );
    }

    /// <summary>
    /// One document per member: its name on the first line, which is the title, then its text. A name documented twice counts once, first
    /// file first.
    /// </summary>
    internal static IEnumerable<Document> Read(IReadOnlyList<(string Path, string Name)> files, CancellationToken cancellation)
    {
        // Files differ a hundredfold in size: they are handed out one by one.
        var members = Partitioner
            .Create(files, EnumerablePartitionerOptions.NoBuffering)
            .AsParallel()
            .AsOrdered()
            .WithCancellation(cancellation)
            .WithMergeOptions(ParallelMergeOptions.NotBuffered)
            .Select(file => ReadFile(file.Path, file.Name));
        var seen = new HashSet<string>();
        using var file = members.GetEnumerator();
        while (MoveNext(file))
            foreach (var document in file.Current)
                if (document.Body.Length >= MinimumCharacters && seen.Add(document.Name))
                    yield return document;
    }

    /// <summary>Parallel queries wrap what goes wrong; the caller is to see the one error itself.</summary>
    private static bool MoveNext(IEnumerator<List<Document>> file)
    {
        try
        {
            return file.MoveNext();
        }
        catch (AggregateException error)
        {
            ExceptionDispatchInfo.Throw(error.Flatten().InnerExceptions[0]);
            throw;
        }
    }

    private static List<Document> ReadFile(string path, string name)
    {
        var documents = new List<Document>();
        var settings = new XmlReaderSettings
        {
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            DtdProcessing = DtdProcessing.Prohibit,
        };
        using var reader = XmlReader.Create(path, settings);
        var text = new MemberText();
        try
        {
            while (reader.ReadToFollowing("member"))
                if (reader.GetAttribute("name") is { Length: > 2 } member)
                    documents.Add(text.Read(reader, member));
        }
        catch (XmlException error)
        {
            throw new InvalidDataException($"{name}:{error.LineNumber}: malformed XML. Repair the .NET SDK.", error);
        }
        return documents;
    }

    private static string[] Roots()
    {
        // <root>/shared/Microsoft.NETCore.App/<version>/ is where the running process has its runtime from.
        var runtime = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        return Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } named && named != runtime
            ? [named, runtime]
            : [runtime];
    }

    private static IEnumerable<(string Path, string Name)> FilesOfPack(string folder, string pack)
    {
        if (!Directory.Exists(folder) || Newest(Directory.GetDirectories(folder)) is not { } version)
            return [];
        var reference = Path.Combine(version, "ref");
        if (!Directory.Exists(reference) || Newest(Directory.GetDirectories(reference, "net*")) is not { } framework)
            return [];
        return Directory
            .GetFiles(framework, "*.xml")
            .Select(path => (path, $"{pack}/{Path.GetFileName(version)}/{Path.GetFileName(path)}"));
    }

    /// <summary>
    /// The folder with the highest version ("10.0.12", "net9.0", "11.0.0-preview.1"); a preview comes before its release.
    /// </summary>
    private static string? Newest(string[] folders) =>
        folders
            .Select(folder => (Folder: folder, Parts: Path.GetFileName(folder).Replace("net", "").Split('-', 2)))
            .Where(entry => Version.TryParse(entry.Parts[0], out _))
            .OrderByDescending(entry => Version.Parse(entry.Parts[0]))
            .ThenBy(entry => entry.Parts.Length)
            .ThenByDescending(entry => entry.Folder, StringComparer.Ordinal)
            .Select(entry => entry.Folder)
            .FirstOrDefault();
}
