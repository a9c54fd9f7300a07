using System.Xml;
using Engram.Corpora;
using Engram.Tests.Storage;

namespace Engram.Tests.Corpora;

public sealed class DotnetDocumentationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Member_IsRenderedAsReadableText()
    {
        const string xml = """
            <doc><assembly><name>A</name></assembly><members>
              <member name="M:System.Collections.BitArray.And``1(System.Collections.BitArray)">
                <summary>Performs AND of <see cref="T:System.Collections.BitArray" />
                  and <paramref name="value" />, <see langword="true" /> &lt; <c>a  &amp; b</c>.<para>Second <see cref="M:System.String.Format(System.String,System.Object[])">formatted</see>
                  paragraph, like <see cref="M:System.Collections.Generic.List{System.Int32}.Add(`0)" />.</para></summary>
                <typeparam name="T">The kind.</typeparam>
                <param name="value">The other.</param>
                <param name="unused"></param>
                <exception cref="T:System.ArgumentNullException">
                  <paramref name="value" /> is <see langword="null" />.</exception>
                <returns>A <typeparamref name="T" />.</returns>
                <remarks><list type="bullet"><item><term>one</term><description>1</description></item><item><description>two</description></item></list>
                  <code>if (x)
                y();</code></remarks>
              </member>
            </members></doc>
            """;
        using var reader = XmlReader.Create(new StringReader(xml));
        Assert.True(reader.ReadToFollowing("member"));
        var document = new MemberText().Read(reader, reader.GetAttribute("name")!);
        const string expected = """
            System.Collections.BitArray.And``1(System.Collections.BitArray)
            Performs AND of BitArray and value, true < a & b.
            Second formatted paragraph, like List{System.Int32}.Add.
            T: The kind.
            value: The other.
            ArgumentNullException: value is null.
            Returns: A T.
            one 1
            two
            if (x)
                y();
            """;
        Assert.Equal(expected, document.Text, ignoreLineEndingDifferences: true);
        Assert.StartsWith("Performs", document.Body.ToString());
    }

    [Fact]
    public void Files_ComeFromTheNewestVersion_OnceEach_WithoutTranslations()
    {
        foreach (
            var path in (string[])
                [
                    "Microsoft.NETCore.App.Ref/9.0.30/ref/net9.0/Old.xml",
                    "Microsoft.NETCore.App.Ref/10.0.2/ref/net10.0/Both.xml",
                    "Microsoft.NETCore.App.Ref/10.0.2/ref/net10.0/de/Both.xml",
                    "Microsoft.NETCore.App.Ref/10.0.2-rc.1/ref/net10.0/Preview.xml",
                    "Microsoft.AspNetCore.App.Ref/10.0.2/ref/net10.0/Both.xml",
                    "Microsoft.AspNetCore.App.Ref/10.0.2/ref/net10.0/Web.xml",
                    "Microsoft.Other.Ref/10.0.2/ref/net10.0/Other.xml",
                ]
        )
            WritePackFile(path, "<doc/>");
        var files = DotnetDocumentation.FindFiles([_folder.File("nowhere"), _folder.File("")]);
        Assert.Equal(
            ["Microsoft.AspNetCore.App.Ref/10.0.2/Both.xml", "Microsoft.AspNetCore.App.Ref/10.0.2/Web.xml"],
            files.Select(file => file.Name)
        );
    }

    [Fact]
    public void NoPacks_IsAnErrorWithRemedy()
    {
        var error = Assert.Throws<DirectoryNotFoundException>(() => DotnetDocumentation.FindFiles([_folder.File("")]));
        Assert.Contains("DOTNET_ROOT", error.Message);
        Assert.Contains(_folder.File(""), error.Message);
    }

    [Fact]
    public void MalformedXml_NamesFileAndLine()
    {
        WritePackFile("Microsoft.NETCore.App.Ref/10.0.2/ref/net10.0/Bad.xml", "<doc>\n<members><member name='T:A'>\n</doc>");
        var files = DotnetDocumentation.FindFiles([_folder.File("")]);
        var error = Assert.Throws<InvalidDataException>(() => DotnetDocumentation.Read(files, CancellationToken.None).ToList());
        Assert.Contains("Bad.xml:3: malformed XML", error.Message);
    }

    [Fact]
    public void InstalledSdk_GivesDistinctMembers_InTheSameOrderAgain()
    {
        var source = CorpusSource.Open(CorpusSource.DotnetDocs, new CorpusOptions { MaxDocuments = 5000 });
        var documents = source.Read().ToList();
        Assert.Equal(5000, documents.Count);
        Assert.Equal(documents, source.Read());
        Assert.Equal(5000, documents.Select(document => document.Name).Distinct().Count());
        Assert.All(
            documents,
            document =>
            {
                Assert.True(document.Body.Length >= 20);
                Assert.DoesNotContain("<see ", document.Text);
                Assert.Equal(document.Name[2..] + "\n", document.Text[..document.TitleLength]);
            }
        );
    }

    private void WritePackFile(string path, string content)
    {
        var full = _folder.File(Path.Combine("packs", path));
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, content);
    }
}
