using System.Text;
using Distributed.Storage;

namespace Distributed.Fuzzing;

/// <summary>A parser breaks one of its promises.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message);

/// <summary>A parser of data from outside: how inputs for it are made, and what must hold of each.</summary>
internal abstract class FuzzTarget : IDisposable
{
    /// <summary>What the command line calls it.</summary>
    public abstract string Name { get; }

    /// <summary>Files that it accepts.</summary>
    protected abstract IReadOnlyList<byte[]> Seeds { get; }

    /// <summary>Pieces that mean something in the format.</summary>
    protected virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>Whether mutations leave most lengths alone, for formats with many offsets.</summary>
    protected virtual bool KeepsLength => false;

    /// <summary>The most managed memory that an input of some bytes may take; what reading a specification takes for all of its settings is in it.</summary>
    public virtual long MostAllocated(int length) => (3 << 19) + (200L * length);

    /// <summary>Makes an input: noise now and then, mostly a seed with changes.</summary>
    public virtual byte[] Create(FuzzRandom random) =>
        random.OneIn(25) ? random.Bytes(random.Below(600)) : Mutation.Apply(random.Pick(Seeds), Seeds, Words, KeepsLength, random);

    /// <summary>Parses an input and checks what came of it.</summary>
    /// <returns>Whether it was accepted; false where it was refused in the way that the parser documents. Any other exception is a fault.</returns>
    /// <exception cref="BrokenPromiseException">A promise is broken.</exception>
    public abstract bool Parse(byte[] input);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) { }

    protected static void Promise(bool holds, string promise)
    {
        if (!holds)
        {
            throw new BrokenPromiseException(promise);
        }
    }

    /// <summary>An error may go into logs, pages and the catalog: it says something, in bounds, in plain text.</summary>
    protected static bool Refuse(string message)
    {
        Promise(message.Length is > 0 and <= SafeText.LongestMessage + 10, $"an error has {message.Length} characters");
        Promise(!message.Any(char.IsControl), "an error has control characters");
        return false;
    }

    protected static byte[][] AsBytes(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    protected static byte[] ReadSeed(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Seeds", name));
}
