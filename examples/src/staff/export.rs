//! Leads as a file that Excel opens with a double click, in every country: its comma is elsewhere a semicolon, and its UTF-8 is a
//! guess; a tab and UTF-16 are neither.

use bytes::Bytes;
use csv::{QuoteStyle, ReaderBuilder, WriterBuilder};
use futures_util::{StreamExt, stream};
use http::{
    HeaderValue, Method, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{Form, Pieces, Refused, StaffBody, Turn, list::Filter, passed_on};

/// The byte order mark of UTF-16, least significant byte first.
const MARK: [u8; 2] = [0xFF, 0xFE];

impl Turn<'_> {
    pub(super) async fn export(&self, form: &Form) -> Result<Response<StaffBody>, Refused> {
        let filter = Filter::read(form, self.staff.settings.time_zone);
        let reveal = form.get("reveal") == "true";
        let target = format!("/inbound/leads.csv?{}", filter.to_query(&[("reveal", &reveal.to_string())]));
        let answer = self.api().ask(Method::GET, &target, None).await?;
        let mut answer = passed_on(answer);
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-16"));
        Ok(answer.map(|body| {
            let pieces = match body {
                StaffBody::Whole(bytes) => Pieces::new(stream::iter([Ok(bytes)])),
                StaffBody::Pieces(pieces) => pieces,
            };
            let mark = stream::iter([Ok(Bytes::from_static(&MARK))]);
            StaffBody::Pieces(Pieces::new(mark.chain(pieces.map(|piece| piece.and_then(|piece| spreadsheet(&piece))))))
        }))
    }
}

/// Rows of CSV, whole ones, as a spreadsheet likes them.
fn spreadsheet(rows: &[u8]) -> std::io::Result<Bytes> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(rows);
    let mut writer = WriterBuilder::new().delimiter(b'\t').quote_style(QuoteStyle::Always).from_writer(Vec::new());
    for row in reader.records() {
        writer.write_record(&row.map_err(std::io::Error::other)?).map_err(std::io::Error::other)?;
    }
    let text = String::from_utf8(writer.into_inner().map_err(csv::IntoInnerError::into_error)?);
    let text = text.map_err(std::io::Error::other)?;
    Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
}
