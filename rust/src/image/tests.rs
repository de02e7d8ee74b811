//! What images, their copies and their views promise each other.

use super::access::{ALL_STEPS, Access, Request, ThreadKey};
use super::buffer::{Owner, Rights, Sharing};
use super::*;
use crate::pixel::PixelType;
use std::ptr::NonNull;

fn image(axes: &[usize]) -> Image {
    with(Pixels::zeroed(Layout::new(PixelType::U8, axes, 1).unwrap()).unwrap())
}

fn with(pixels: Pixels) -> Image {
    let image = Image::default();
    image.put(pixels).unwrap();
    image
}

fn reader(image: &Image) -> View {
    image.read_view(None, None).unwrap()
}

fn writer(image: &Image) -> View {
    image.make_private().unwrap();
    image.write_view(None, &mut None).unwrap().unwrap()
}

fn first(view: &View) -> u8 {
    // SAFETY: every image here has at least one voxel.
    unsafe { view.as_ptr().read() }
}

fn set_first(view: &View, value: u8) {
    assert!(view.is_writable());
    // SAFETY: as above, and these tests have one thread each.
    unsafe { view.as_ptr().write(value) }
}

fn lease(image: &Image, access: Access) -> access::Lease {
    let request = Request { access, steps: ALL_STEPS, thread: ThreadKey::current(), place: None };
    image.ledger().acquire(request, |_| panic!("must not wait")).unwrap()
}

#[test]
fn views_of_one_image_show_the_same_voxels() {
    let image = image(&[4, 3, 2]);
    let (a, b) = (writer(&image), reader(&image));
    set_first(&a, 7);
    assert_eq!((first(&b), a.as_ptr()), (7, b.as_ptr()));
    assert!(a.is_writable() && !b.is_writable());
}

#[test]
fn an_empty_image_has_no_views() {
    assert_eq!(Image::default().read_view(None, None).unwrap_err(), Error::Empty);
    assert!(matches!(Image::default().share(), Err(Error::Empty)));
    assert_eq!(Image::default().layout(), None);
}

#[test]
fn a_view_outlives_its_image() {
    let image = image(&[4, 3]);
    let view = writer(&image);
    drop(image);
    set_first(&view, 3);
    assert_eq!(first(&view), 3);
}

#[test]
fn a_step_is_a_part_of_the_whole() {
    let image = image(&[4, 3, 2, 5]);
    let step = image.read_view(Some(2), None).unwrap();
    let offset = step.as_ptr() as usize - reader(&image).as_ptr() as usize;
    assert_eq!((offset, step.bytes(), step.step()), (48, 24, Some(2)));
    assert_eq!(image.read_view(Some(5), None).unwrap_err(), Error::NoSuchStep { step: 5, steps: 5 });
}

#[test]
fn copies_share_until_one_is_written() {
    let original = image(&[4, 3]);
    let copy = with(original.share().unwrap());
    assert_eq!(reader(&original).as_ptr(), reader(&copy).as_ptr());
    set_first(&writer(&original), 5);
    assert_eq!((first(&reader(&original)), first(&reader(&copy))), (5, 0));
    let alone = reader(&copy).as_ptr();
    assert_eq!(writer(&copy).as_ptr(), alone, "the last one to claim the buffer needs no copy");
}

#[test]
fn a_view_keeps_what_it_shows_after_its_image_is_gone() {
    let original = image(&[4, 3]);
    let snapshot = with(original.share().unwrap());
    let view = reader(&snapshot);
    drop(snapshot);
    set_first(&writer(&original), 5);
    assert_eq!(first(&view), 0);
}

#[test]
fn sharing_under_a_writable_view_copies_at_once() {
    let original = image(&[4, 3]);
    let view = writer(&original);
    let copy = with(original.share().unwrap());
    set_first(&view, 5);
    assert_eq!((first(&reader(&copy)), first(&reader(&original))), (0, 5));
    drop(view);
    let shared = with(original.share().unwrap());
    assert_eq!(reader(&shared).as_ptr(), reader(&original).as_ptr());
}

#[test]
fn a_view_without_its_lease_may_write_and_keeps_its_voxels_to_itself() {
    let image = image(&[4, 3]);
    let mut held = Some(lease(&image, Access::Write));
    let view = image.write_view(None, &mut held).unwrap().unwrap();
    set_first(&view, 9);
    assert_eq!(image.ledger().held(), 1);
    view.release_lease();
    assert_eq!((image.ledger().held(), view.is_writable(), image.stamp()), (0, true, None));
    let copy = with(image.share().unwrap());
    set_first(&view, 10);
    assert_eq!((first(&reader(&copy)), first(&reader(&image))), (9, 10));
    drop(view);
    assert_eq!(reader(&with(image.share().unwrap())).as_ptr(), reader(&image).as_ptr());
}

#[test]
fn initialize_again_needs_no_leases_and_leaves_old_views_their_voxels() {
    let image = image(&[4, 3]);
    let view = writer(&image);
    set_first(&view, 9);
    let held = lease(&image, Access::Read);
    let other = Layout::new(PixelType::F32, &[5, 5, 5], 1).unwrap();
    assert!(matches!(image.put(Pixels::zeroed(other).unwrap()), Err(Error::Locked { .. })));
    assert!(matches!(image.check_replaceable(), Err(Error::Locked { .. })));
    drop(held);
    image.put(Pixels::zeroed(other).unwrap()).unwrap();
    assert_eq!((first(&view), image.layout()), (9, Some(other)));
    assert_eq!(first(&reader(&image)), 0);
}

#[test]
fn a_buffer_of_the_wrong_length_is_refused() {
    let layout = Layout::new(PixelType::U8, &[4, 3], 1).unwrap();
    let refused = Pixels::of(layout, Buffer::zeroed(11).unwrap()).unwrap_err();
    assert!(matches!(refused, Error::Mismatch { .. }));
}

#[test]
fn a_frozen_image_is_only_read() {
    let snapshot = with(image(&[4, 3]).share().unwrap());
    snapshot.freeze();
    assert_eq!(first(&reader(&snapshot)), 0);
    assert_eq!(snapshot.write_view(None, &mut None).unwrap_err(), Error::Frozen);
    assert_eq!(snapshot.put(snapshot.share().unwrap()), Err(Error::Frozen));
}

#[test]
fn a_stamp_differs_once_voxels_may_have_changed() {
    let image = image(&[4, 3]);
    let before = image.stamp();
    assert!(before.is_some());
    let reading = reader(&image);
    assert_eq!((image.stamp(), Image::default().stamp()), (before, None));
    drop(reading);
    let writing = writer(&image);
    assert_eq!(image.stamp(), None);
    drop(writing);
    assert!(image.stamp().is_some() && image.stamp() != before);
}

#[test]
fn a_cleared_image_is_empty_and_its_views_keep_their_voxels() {
    let image = image(&[4, 3]);
    let view = writer(&image);
    set_first(&view, 9);
    image.clear();
    assert_eq!((image.layout(), first(&view)), (None, 9));
}

struct Bytes(Vec<u8>);
impl Owner for Bytes {}

#[test]
fn a_collector_sees_the_owner_of_memory_that_nobody_else_has() {
    let bytes = Bytes(vec![3; 12]);
    let rights = Rights { writable: true, sharing: Sharing::Private };
    let start = NonNull::new(bytes.0.as_ptr().cast_mut()).unwrap();
    // SAFETY: the owner keeps its twelve bytes where they are.
    let buffer = unsafe { Buffer::foreign(start, 12, rights, Box::new(bytes)) };
    let taken = with(Pixels::of(Layout::new(PixelType::U8, &[4, 3], 1).unwrap(), buffer).unwrap());
    let seen = || taken.visit_sole_owner(|owner| owner.downcast_ref::<Bytes>().unwrap().0.len());
    assert_eq!(seen(), Some(12));
    let view = reader(&taken);
    assert_eq!(seen(), None);
    drop(view);
    let copy = with(taken.share().unwrap());
    assert_eq!(seen(), None);
    drop(copy);
    assert_eq!(seen(), Some(12));
    assert_eq!(image(&[4, 3]).visit_sole_owner(|_| ()), None);
}
