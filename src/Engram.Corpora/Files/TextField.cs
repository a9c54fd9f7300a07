namespace Engram.Corpora.Files;

/// <summary>Which field of an object, or column of a table, holds the text.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Remedy">A sentence for messages: how another one is named.</param>
internal readonly record struct TextField(string Name, string Remedy);
