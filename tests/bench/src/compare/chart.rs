//! Operations per second as an SVG file: a panel for each load, a bar for each system, and a line
//! from the least to the greatest of all runs.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;

use super::report::{loads, runs, systems};
use super::sample::{Range, Sample};
use super::system::System;

const WIDTH: u32 = 760;
const BAR: u32 = 24;
/// Of a panel, beside its bars: its title, and the numbers of its axis.
const FRAME: u32 = 76;
const NAMES: u32 = 130;
/// Room behind the longest bar, for its number.
const ROOM: f64 = 1.18;

const OURS: RGBColor = RGBColor(28, 110, 180);
const THEIRS: RGBColor = RGBColor(150, 150, 150);

pub(crate) fn write(path: &Path, samples: &[Sample]) -> Result<()> {
    draw(path, samples).map_err(|error| anyhow!("{error}")).context("drawing the chart")
}

fn draw(path: &Path, samples: &[Sample]) -> Result<(), Box<dyn std::error::Error>> {
    let panels: Vec<_> = loads(samples)
        .into_iter()
        .map(|load| {
            let bars = systems(samples).into_iter().filter_map(|system| {
                let of =
                    runs(samples, system, load).into_iter().map(|sample| sample.ops_per_second);
                Some((system, Range::of(of)?))
            });
            (load, bars.collect::<Vec<(System, Range)>>())
        })
        .collect();
    let height = |bars: &[(System, Range)]| FRAME + BAR * bars.len() as u32;
    let whole = panels.iter().map(|(_, bars)| height(bars)).sum();
    let mut rest = SVGBackend::new(path, (WIDTH, whole)).into_drawing_area();
    // Legible on any page, light or dark.
    rest.fill(&WHITE)?;
    for (load, bars) in &panels {
        let (panel, below) = rest.split_vertically(height(bars));
        rest = below;
        let longest = bars.iter().map(|(_, range)| range.max).fold(1.0, f64::max);
        let count = bars.len() as f64;
        let mut chart = ChartBuilder::on(&panel)
            .caption(format!("{load}: operations per second"), ("sans-serif", 16, &BLACK))
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(NAMES)
            .build_cartesian_2d(0.0..longest * ROOM, 0.0..count)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .x_labels(6)
            .x_label_formatter(&|ops| format!("{ops:.0}"))
            .label_style(("sans-serif", 12, &BLACK))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (at, (system, range)) in bars.iter().enumerate() {
            // The first one on top.
            let middle = count - at as f64 - 0.5;
            let color = if system.kind().is_peer() { THEIRS } else { OURS };
            let bar = [(0.0, middle - 0.35), (range.median, middle + 0.35)];
            let spread = vec![(range.min, middle), (range.max, middle)];
            chart.draw_series([Rectangle::new(bar, color.filled())])?;
            chart.draw_series([PathElement::new(spread, BLACK.stroke_width(2))])?;
            let style = ("sans-serif", 12).into_font().color(&BLACK);
            let end = chart.backend_coord(&(range.max, middle));
            let begin = chart.backend_coord(&(0.0, middle));
            let (_, top) = panel.get_base_pixel();
            let line = end.1 - top - 6;
            panel.draw(&Text::new(
                format!("{:.0}", range.median),
                (end.0 + 6, line),
                style.clone(),
            ))?;
            panel.draw(&Text::new(system.name(), (begin.0 - NAMES as i32, line), style))?;
        }
    }
    rest.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::load::Load;
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn every_load_and_every_system_is_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chart.svg");
        let mut samples = Vec::new();
        for load in [Load::small(1, 50), Load::small(64, 50)] {
            for system in [System::Memory, System::Etcd] {
                for run in [1, 2] {
                    samples.push(Sample::of_throughput(
                        system,
                        load,
                        run,
                        1_234.0 * f64::from(run),
                    ));
                }
            }
        }
        write(&path, &samples).unwrap();
        let svg = fs::read_to_string(&path).unwrap();
        for text in ["1:50:100", "64:50:100", "memory", "etcd", "1851"] {
            assert!(svg.contains(text), "{text} is missing");
        }
        assert!(svg.contains("fill=\"#FFFFFF\""), "the background is left to the page");
    }
}
