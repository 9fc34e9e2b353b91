using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Distributed.Datasets.Sources;

/// <summary>Names in a folder as the bytes that they are. .NET reads names as UTF-8, and cannot open what another encoding named.</summary>
internal static partial class RawNames
{
    private const int NotFound = 2;
    private const int Denied = 13;

    // struct dirent of Linux with 64-bit offsets, the same in glibc and musl: d_ino, d_off, d_reclen, d_type, d_name.
    private const int NameOffset = 19;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Whether names can be anything but UTF-8 here.</summary>
    public static bool AreBytes { get; } = OperatingSystem.IsLinux() && nint.Size == 8;

    /// <summary>Reads all names in a folder, without <c>.</c> and <c>..</c>, in no order.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be read.</exception>
    public static unsafe List<byte[]> In(string folder)
    {
        var directory = OpenDirectory(folder);
        if (directory == 0)
        {
            throw Error(folder);
        }

        try
        {
            var names = new List<byte[]>();
            while (true)
            {
                Marshal.SetLastPInvokeError(0);
                var entry = ReadDirectory(directory);
                if (entry == 0)
                {
                    return Marshal.GetLastPInvokeError() == 0 ? names : throw Error(folder);
                }

                var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated((byte*)entry + NameOffset);
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                {
                    names.Add(name.ToArray());
                }
            }
        }
        finally
        {
            _ = CloseDirectory(directory);
        }
    }

    /// <summary>The name as text; null where it is no UTF-8.</summary>
    public static string? Decode(byte[] name)
    {
        try
        {
            return Strict.GetString(name);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>The name with every byte that is no part of UTF-8, and every control character, as <c>\xe9</c>.</summary>
    public static string Escape(ReadOnlySpan<byte> name)
    {
        var shown = new StringBuilder();
        while (!name.IsEmpty)
        {
            var plain =
                Rune.DecodeFromUtf8(name, out var rune, out var length) == System.Buffers.OperationStatus.Done && !Rune.IsControl(rune);
            if (plain)
            {
                shown.Append(rune.ToString());
            }
            else
            {
                foreach (var value in name[..length])
                {
                    shown.Append(CultureInfo.InvariantCulture, $"\\x{value:x2}");
                }
            }

            name = name[length..];
        }

        return shown.ToString();
    }

    private static Exception Error(string folder)
    {
        var code = Marshal.GetLastPInvokeError();
        var message = $"'{folder}': {new Win32Exception(code).Message}";
        return code switch
        {
            NotFound => new DirectoryNotFoundException(message),
            Denied => new UnauthorizedAccessException(message),
            _ => new IOException(message),
        };
    }

    [LibraryImport("libc", EntryPoint = "opendir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint OpenDirectory(string path);

    [LibraryImport("libc", EntryPoint = "readdir", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint ReadDirectory(nint directory);

    [LibraryImport("libc", EntryPoint = "closedir", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int CloseDirectory(nint directory);
}
