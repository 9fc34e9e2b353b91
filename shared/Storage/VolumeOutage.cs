using System.Net.Sockets;

namespace Distributed.Storage;

/// <summary>Recognises whether an error is the volume's absence, which passes, rather than a damaged or missing file.</summary>
public static class VolumeOutage
{
    /// <summary>Whether to wait and try again.</summary>
    public static bool Is(Exception exception) =>
        exception is IOException and not (StoredFileException or FileNotFoundException or DirectoryNotFoundException)
        && !IsOfConnection(exception);

    /// <summary>Whether it is a connection that broke, rather than a file that cannot be read or written.</summary>
    public static bool IsOfConnection(Exception? exception) =>
        exception is SocketException or EndOfStreamException || (exception is not null && IsOfConnection(exception.InnerException));
}
