namespace Distributed.Datasets.Tables;

/// <summary>Text from outside, of which no more than some characters are given between two calls of <see cref="Restart"/>: a row without an end takes no memory without an end.</summary>
/// <param name="inner">The text; it is closed with this reader.</param>
/// <param name="most">Most characters, one buffer of the reader's user included.</param>
/// <param name="tooLong">Makes the error.</param>
internal sealed class BoundedTextReader(TextReader inner, int most, Func<Exception> tooLong) : TextReader
{
    private int _given;

    /// <summary>A row has ended.</summary>
    public void Restart() => _given = 0;

    public override int Peek() => inner.Peek();

    public override int Read()
    {
        var character = inner.Read();
        Count(character < 0 ? 0 : 1);
        return character;
    }

    public override int Read(char[] buffer, int index, int count) => Read(buffer.AsSpan(index, count));

    public override int Read(Span<char> buffer)
    {
        var read = inner.Read(buffer);
        Count(read);
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Count(int characters)
    {
        _given += characters;
        if (_given > most)
        {
            throw tooLong();
        }
    }
}
