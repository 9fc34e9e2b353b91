using System.Runtime.CompilerServices;

namespace Distributed.Vision.Engines;

/// <content>The way of a group of images through the network.</content>
internal sealed unsafe partial class CompiledDenseNet
{
    /// <summary>Computes one group of images on one thread.</summary>
    private readonly struct Worker(CompiledDenseNet network, Plan plan, Workspace workspace, byte* images)
    {
        private readonly bool _bf16 = network.Bf16;
        private readonly int _bytes = network.ElementBytes;
        private readonly int _panelBytes = network.PanelChannels * network.ElementBytes;

        public void Run(int count, float* features)
        {
            var last = plan.Blocks.Length - 1;
            Fill(last, 0, count);
            var grid = plan.Blocks[last].Grid;
            var size = network.Layers.Last.Channels;
            for (var i = 0; i < count; i++)
            {
                Elementwise.NormalizeReluMean(
                    _bf16,
                    Image(last, i),
                    grid.Height * grid.Width,
                    features + ((long)i * size),
                    network._last.Scale,
                    network._last.Shift,
                    size
                );
            }
        }

        private byte* Image(int block, int index) => workspace.Blocks[block].Pointer + ((long)index * plan.BlockBytes[block]);

        /// <summary>Computes a block's buffer for some images, and all that comes before it.</summary>
        private void Fill(int block, int first, int count)
        {
            if (block == 0)
            {
                for (var i = 0; i < count; i++)
                {
                    Enter(images + ((long)(first + i) * plan.Height * plan.Width * 3), Image(0, i));
                }
            }
            else
            {
                var chunk = plan.Blocks[block - 1].Chunk;
                for (var i = 0; i < count; i += chunk)
                {
                    var taken = Math.Min(chunk, count - i);
                    Fill(block - 1, first + i, taken);
                    for (var image = 0; image < taken; image++)
                    {
                        Pass(block, Image(block - 1, image), Image(block, i + image));
                    }
                }
            }

            foreach (var layer in network._blocks[block])
            {
                for (var i = 0; i < count; i++)
                {
                    Grow(layer, plan.Blocks[block], Image(block, i), workspace.Padded[block].Pointer);
                }
            }
        }

        /// <summary>Takes an image through the stem, into a block's first channels.</summary>
        private void Enter(byte* image, byte* target)
        {
            var pixelBytes = plan.Blocks[0].Channels * _bytes;
            plan.Stem.Run(
                image,
                workspace.Input.Pointer,
                workspace.Stem.Pointer,
                target,
                plan.Blocks[0].Grid.Width * pixelBytes,
                pixelBytes
            );
        }

        /// <summary>A transition: averaging and a 1×1 convolution commute, and this way round there is a quarter of the work.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Pass(int block, byte* source, byte* target)
        {
            var (before, after) = (plan.Blocks[block - 1], plan.Blocks[block]);
            var transition = network._transitions[block - 1];
            var sourcePixel = before.Channels * _bytes;
            var sourceRow = before.Grid.Width * sourcePixel;
            var targetPixel = after.Channels * _bytes;
            var scratch = workspace.Scratch.Pointer;
            var iterations = plan.NarrowIterations(before.Channels);
            foreach (var band in after.Grid.Bands)
            {
                foreach (var tile in band)
                {
                    var (rows, columns) = after.Grid.Kinds[tile.Kind];
                    var pooled = scratch;
                    for (var y = 0; y < rows; y++)
                    {
                        for (var x = 0; x < columns; x++)
                        {
                            var corner = source + (2 * (tile.Y + y) * sourceRow) + (2 * (tile.X + x) * sourcePixel);
                            Elementwise.NormalizeReluPool(
                                _bf16,
                                corner,
                                sourceRow,
                                pooled,
                                transition.Norm.Scale,
                                transition.Norm.Shift,
                                before.Channels
                            );
                            pooled += after.ScratchStride;
                        }
                    }

                    var to = target + (((tile.Y * after.Grid.Width) + tile.X) * targetPixel);
                    for (var panel = 0; panel < transition.Convolution.Panels; panel++)
                    {
                        after
                            .Enter[tile.Kind]
                            .Run(scratch, transition.Convolution.Panel(panel), to + (panel * _panelBytes), null, iterations);
                    }
                }
            }
        }

        /// <summary>
        /// One dense layer. The 3×3 convolution follows the 1×1 convolution as closely as its windows allow, so that what it
        /// reads was written a moment ago.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Grow(PackedLayer layer, BlockPlan block, byte* image, byte* padded)
        {
            var widened = 0;
            foreach (var band in block.Grid.Bands)
            {
                Narrow(layer, block, band, image, padded);
                for (; widened < block.Tiles.Bands.Length && block.IsReady(block.Tiles.Bands[widened], band); widened++)
                {
                    Widen(layer, block, block.Tiles.Bands[widened], image, padded);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Narrow(PackedLayer layer, BlockPlan block, Tile[] band, byte* image, byte* padded)
        {
            var pixelBytes = block.Channels * _bytes;
            var panelBytes = network.PanelChannels * block.Bottleneck.ElementBytes;
            var scratch = workspace.Scratch.Pointer;
            var iterations = plan.NarrowIterations(layer.Inputs);
            foreach (var tile in band)
            {
                var (rows, columns) = block.Grid.Kinds[tile.Kind];
                var normalized = scratch;
                for (var y = 0; y < rows; y++)
                {
                    var source = image + ((((tile.Y + y) * block.Grid.Width) + tile.X) * pixelBytes);
                    for (var x = 0; x < columns; x++)
                    {
                        Elementwise.NormalizeRelu(_bf16, source, normalized, layer.Norm.Scale, layer.Norm.Shift, layer.Inputs);
                        source += pixelBytes;
                        normalized += block.ScratchStride;
                    }
                }

                var to = padded + block.Bottleneck.Offset(tile.Y + 1, tile.X + 1);
                for (var panel = 0; panel < layer.Narrow.Panels; panel++)
                {
                    block
                        .Narrow[tile.Kind]
                        .Run(scratch, layer.Narrow.Panel(panel), to + (panel * panelBytes), layer.Narrow.Bias(panel), iterations);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Widen(PackedLayer layer, BlockPlan block, Tile[] band, byte* image, byte* padded)
        {
            var pixelBytes = block.Channels * _bytes;
            var output = image + (layer.Inputs * _bytes);
            if (block.Winograd is { } winograd)
            {
                winograd.Run(layer.Winograd.Value, band, padded, output, pixelBytes, workspace.Scratch.Pointer);
                return;
            }

            var weights = layer.Direct.Value;
            foreach (var tile in band)
            {
                var from = padded + block.Bottleneck.Offset(tile.Y, tile.X);
                var to = output + (((tile.Y * block.Grid.Width) + tile.X) * pixelBytes);
                for (var panel = 0; panel < weights.Panels; panel++)
                {
                    block.Direct[tile.Kind].Run(from, weights.Panel(panel), to + (panel * _panelBytes), null, plan.DirectIterations);
                }
            }
        }
    }
}
