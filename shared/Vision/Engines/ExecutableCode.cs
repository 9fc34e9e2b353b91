using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Distributed.Vision.Engines;

/// <summary>Machine code that can be called. Its pages are never writable and executable at once.</summary>
internal sealed partial class ExecutableCode : SafeHandle
{
    private const int Read = 1,
        Write = 2,
        Execute = 4;
    private const int Private = 2,
        Anonymous = 0x20;

    private static readonly Lazy<bool> Allowed = new(() =>
    {
        try
        {
            const byte ret = 0xC3;
            using var code = new ExecutableCode([ret]);
            return true;
        }
        catch (Win32Exception)
        {
            return false;
        }
    });

    private readonly nuint _length;

    public ExecutableCode(ReadOnlySpan<byte> code)
        : base(-1, ownsHandle: true)
    {
        _length = (nuint)code.Length;
        SetHandle(Map(0, _length, Read | Write, Private | Anonymous, -1, 0));
        if (IsInvalid)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        unsafe
        {
            code.CopyTo(new Span<byte>((void*)handle, code.Length));
        }

        if (Protect(handle, _length, Read | Execute) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Whether the operating system lets this process make code: hardened ones may not.</summary>
    public static bool IsAllowed => Allowed.Value;

    public override bool IsInvalid => handle == -1;

    public nint Address => handle;

    protected override bool ReleaseHandle() => Unmap(handle, _length) == 0;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint length);
}
