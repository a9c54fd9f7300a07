namespace Engram.Torch.Native;

/// <summary>
/// The native tensor library cannot be used on this machine. The message is one sentence with the file or variable at fault and the remedy.
/// </summary>
public sealed class LibTorchException : Exception
{
    /// <summary>Creates the error from a finished sentence.</summary>
    /// <param name="message">What is wrong, where, and what to do about it.</param>
    /// <param name="innerException">The loader's own error, if there is one.</param>
    public LibTorchException(string message, Exception? innerException = null)
        : base(message, innerException) { }
}
