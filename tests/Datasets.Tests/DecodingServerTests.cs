using Distributed.Datasets.Imaging;

namespace Distributed.Datasets.Tests;

public sealed class DecodingServerTests
{
    /// <summary>A request for the memory of the largest image has no file: its length is 0.</summary>
    private static readonly byte[] Request = new byte[(5 * sizeof(int)) + sizeof(double)];

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(11)]
    [InlineData(15)]
    [InlineData(27)]
    public void A_host_that_ends_in_the_middle_of_a_request_ends_the_server_without_an_error(int sent)
    {
        using var input = new MemoryStream(Request[..sent]);
        using var output = new MemoryStream();

        DecodingServer.Run(input, output, (_, _) => throw new InvalidOperationException("There is no image."));

        Assert.Single(output.ToArray());
    }

    [Fact]
    public void A_host_that_ends_before_its_answer_ends_the_server_without_an_error()
    {
        using var input = new MemoryStream(Request);
        using var output = new BrokenPipe();

        DecodingServer.Run(input, output, (_, _) => throw new InvalidOperationException("There is no image."));

        Assert.True(output.IsBroken);
    }

    /// <summary>Takes the first byte, by which the server says that it is ready.</summary>
    private sealed class BrokenPipe : Stream
    {
        private int _written;

        public bool IsBroken => _written > 1;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            _written += count;
            if (IsBroken)
            {
                throw new IOException("Broken pipe");
            }
        }

        public override void Flush()
        {
            // Nothing is kept.
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
