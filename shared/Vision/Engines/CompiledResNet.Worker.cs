using System.Runtime.CompilerServices;

namespace Distributed.Vision.Engines;

/// <content>The way of a group of images through the network.</content>
internal sealed unsafe partial class CompiledResNet
{
    /// <summary>Computes one group of images on one thread.</summary>
    private readonly struct Worker(CompiledResNet network, Plan plan, Workspace workspace, byte* images)
    {
        public void Run(int count, float* features)
        {
            var last = plan.Stages.Length - 1;
            Fill(last, 0, count);
            var map = plan.Stages[last].Output;
            for (var i = 0; i < count; i++)
            {
                Elementwise.Mean(
                    network.Bf16,
                    workspace.Output(last).Pointer + ((long)i * map.Layout.Bytes) + map.Layout.Offset(1, 1),
                    map.Height,
                    map.Width,
                    map.Layout.RowBytes,
                    map.Layout.PixelBytes,
                    features + ((long)i * network.Features),
                    network.Features
                );
            }
        }

        /// <summary>Computes a stage's output for some images, and all that comes before it.</summary>
        private void Fill(int stage, int first, int count)
        {
            var begin = Array.FindIndex(plan.Blocks, block => block.Stage == stage);
            if (stage == 0)
            {
                Enter(first, count);
                Begin(begin, workspace.Entered, plan.Entered, 0, count);
            }
            else
            {
                var chunk = plan.Stages[stage - 1].Chunk;
                for (var i = 0; i < count; i += chunk)
                {
                    var taken = Math.Min(chunk, count - i);
                    Fill(stage - 1, first + i, taken);
                    Begin(begin, workspace.Output(stage - 1), plan.Stages[stage - 1].Output, i, taken);
                }
            }

            for (var block = begin + 1; block < plan.Blocks.Length && plan.Blocks[block].Stage == stage; block++)
            {
                Add(block, workspace.Output(stage), plan.Stages[stage].Output, 0, count);
            }
        }

        /// <summary>Takes images through the stem.</summary>
        private void Enter(int first, int count)
        {
            var map = plan.Entered.Layout;
            var target = (workspace.Entered ?? workspace.Output(0)).Pointer;
            for (var i = 0; i < count; i++)
            {
                plan.Stem.Run(
                    images + ((long)(first + i) * plan.Height * plan.Width * 3),
                    workspace.Input.Pointer,
                    workspace.Stem.Pointer,
                    target + ((long)i * map.Bytes) + map.Offset(1, 1),
                    map.RowBytes,
                    map.PixelBytes
                );
            }
        }

        /// <summary>Computes the first block of a stage, for images from a position on of the stage's output.</summary>
        private void Begin(int block, NativeBuffer? input, Map read, int at, int count)
        {
            var planned = plan.Blocks[block];
            if (planned.Shortcut is { } shortcut)
            {
                Convolve(
                    shortcut,
                    network._blocks[block].Shortcut!,
                    input!.Pointer,
                    read.Layout,
                    Target(block, at),
                    planned.Output.Layout,
                    count
                );
            }

            Add(block, input ?? workspace.Output(planned.Stage), read, at, count);
        }

        /// <summary>Adds a block's convolutions to its output.</summary>
        private void Add(int block, NativeBuffer input, Map read, int at, int count)
        {
            var planned = plan.Blocks[block];
            var source = input.Pointer;
            for (var i = 0; i < planned.Convolutions.Length; i++)
            {
                var isLast = i == planned.Convolutions.Length - 1;
                var target = isLast ? Target(block, at) : workspace.Map(block, i).Pointer;
                var weights = network._blocks[block].Convolutions[i].For(planned.Convolutions[i]);
                Convolve(planned.Convolutions[i], weights, source, read.Layout, target, planned.Maps[i].Layout, count);
                source = target;
                read = planned.Maps[i];
            }
        }

        private byte* Target(int block, int at)
        {
            var stage = plan.Blocks[block].Stage;
            return workspace.Output(stage).Pointer + ((long)at * plan.Stages[stage].Output.Layout.Bytes);
        }

        /// <summary>A convolution of some images. A panel of weights is used for all of them before the next one is read.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Convolve(
            ConvolutionPlan planned,
            PackedConvolution weights,
            byte* source,
            PaddedMap read,
            byte* target,
            PaddedMap written,
            int count
        )
        {
            if (planned.Winograd is { } winograd)
            {
                winograd.Run(weights, weights.Bias(0), source, target, count, workspace.Scratch.Pointer);
                return;
            }

            var panelBytes = network.PanelChannels * network.ElementBytes;
            for (var panel = 0; panel < weights.Panels; panel++)
            {
                var values = weights.Panel(panel);
                var bias = weights.Bias(panel);
                for (var image = 0; image < count; image++)
                {
                    var from = source + ((long)image * read.Bytes);
                    var to = target + ((long)image * written.Bytes) + (panel * panelBytes);
                    foreach (var band in planned.Grid.Bands)
                    {
                        foreach (var tile in band)
                        {
                            planned
                                .Kernels[tile.Kind]
                                .Run(
                                    from
                                        + read.Offset(
                                            (tile.Y * planned.Stride) + planned.Border,
                                            (tile.X * planned.Stride) + planned.Border
                                        ),
                                    values,
                                    to + written.Offset(tile.Y + 1, tile.X + 1),
                                    bias,
                                    planned.Iterations
                                );
                        }
                    }
                }
            }
        }
    }
}
